//! Batch reads from the queue of one partition.
//!
//! The crate's safe interfaces return one message at a time, at about 0.3 µs each, which is most of the cost of a
//! record here. A batch from a partition's own queue costs a tenth of that, and topic and partition are known once for
//! the whole batch.
//!
//! Why the interface is safe: a [`PartitionQueue`] keeps its consumer, and with it the native client, alive; a
//! [`Batch`] borrows its queue and owns its messages until it is dropped; payloads are borrowed for no longer than
//! that.
#![allow(unsafe_code, reason = "the crate has no batch read; every call below says why it is sound")]

use std::any::Any;
use std::borrow::Cow;
use std::ffi::{CStr, CString};
use std::marker::PhantomData;
use std::ptr;
use std::sync::Arc;

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka_sys as sys;

use ctr_domain::checkpoint::RecordMark;

/// One entry of a batch.
#[derive(Debug)]
pub enum Entry<'a> {
    /// A record of the log.
    Record(Record<'a>),
    /// Everything up to this offset has been read; the next record will have it.
    PartitionEnd(i64),
    /// An error of this partition.
    Error {
        /// librdkafka's code.
        code: RDKafkaErrorCode,
        /// The message.
        message: String,
    },
}

/// One record, borrowed from its batch.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Its offset and timestamp.
    pub mark: RecordMark,
    /// Its key, if it has one.
    pub key: Option<&'a [u8]>,
    /// Its value; `None` is a tombstone.
    pub payload: Option<&'a [u8]>,
    /// Where its headers are looked up, on demand.
    message: *mut sys::rd_kafka_message_t,
}

impl<'a> Record<'a> {
    /// The value of a header: the last one if a name occurs several times. `None` if there is none, or it has no value.
    #[must_use]
    pub fn header(&self, name: &CStr) -> Option<&'a [u8]> {
        let mut headers = ptr::null_mut();
        // SAFETY: the message lives for `'a`. librdkafka parses its headers on first access and keeps them with the
        // message; a record cannot leave its thread (a pointer is not `Send`), so access is never concurrent.
        let found = unsafe { sys::rd_kafka_message_headers(self.message, &raw mut headers) };
        if found != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return None;
        }
        let (mut value, mut len) = (ptr::null(), 0);
        // SAFETY: the headers were just obtained; the name ends with a zero byte; both others are locals to write to.
        let found = unsafe { sys::rd_kafka_header_get_last(headers, name.as_ptr(), &raw mut value, &raw mut len) };
        if found != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return None;
        }
        // SAFETY: pointer and length of bytes that live as long as the message's headers, which is as long as the message.
        unsafe { bytes(value, len) }
    }

    /// All headers in order: name and value. Invalid UTF-8 in a name is replaced.
    #[must_use]
    pub fn headers(&self) -> Vec<(Cow<'a, str>, Option<&'a [u8]>)> {
        let mut headers = ptr::null_mut();
        // SAFETY: as in `header`.
        let found = unsafe { sys::rd_kafka_message_headers(self.message, &raw mut headers) };
        if found != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Vec::new();
        }
        let next = |index| {
            let (mut name, mut value, mut len) = (ptr::null(), ptr::null(), 0);
            // SAFETY: the headers were just obtained; the three others are locals to write to.
            let found =
                unsafe { sys::rd_kafka_header_get_all(headers, index, &raw mut name, &raw mut value, &raw mut len) };
            if found != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR || name.is_null() {
                return None;
            }
            // SAFETY: librdkafka's names end with a zero byte and live as long as the message's headers.
            let name: &'a CStr = unsafe { CStr::from_ptr(name) };
            // SAFETY: as in `header`.
            Some((name.to_string_lossy(), unsafe { bytes(value, len) }))
        };
        (0..).map_while(next).collect()
    }
}

/// The queue of one assigned partition, separate from the consumer's own queue. Queues that outlive an assignment are
/// harmless; they stay empty.
#[derive(Debug)]
pub struct PartitionQueue {
    queue: ptr::NonNull<sys::rd_kafka_queue_t>,
    /// The consumer. Dropped after the queue is released, so that its client always outlives the queue.
    _consumer: Arc<dyn Any + Send + Sync>,
}

// SAFETY: librdkafka's queues may be used from any thread; the queue is reference counted by librdkafka itself.
unsafe impl Send for PartitionQueue {}

impl PartitionQueue {
    /// Splits the queue of a partition from the consumer's own. Must be called *before* the assignment is made: after
    /// it, records or the one end-of-partition event may already be in the consumer's queue.
    ///
    /// `None` if librdkafka does not know the partition.
    pub fn split<C>(consumer: &Arc<BaseConsumer<C>>, topic: &str, partition: i32) -> Option<Self>
    where
        C: ConsumerContext + 'static,
    {
        let topic = CString::new(topic).ok()?;
        // SAFETY: the native client is valid for as long as `consumer` is borrowed, and the topic's text outlives the call.
        let queue =
            unsafe { sys::rd_kafka_queue_get_partition(consumer.client().native_ptr(), topic.as_ptr(), partition) };
        let queue = ptr::NonNull::new(queue)?;
        // SAFETY: a queue just obtained is valid; forwarding to null makes it independent.
        unsafe { sys::rd_kafka_queue_forward(queue.as_ptr(), ptr::null_mut()) };
        Some(Self { queue, _consumer: Arc::<BaseConsumer<C>>::clone(consumer) })
    }

    /// Moves the contents of the queue to `buffer`, without waiting.
    pub fn read<'b>(&'b self, buffer: &'b mut BatchBuffer) -> Batch<'b> {
        let capacity = buffer.messages.len();
        // SAFETY: the queue is valid while `self` is, the buffer has room for `capacity` pointers, and a batch that borrows
        // the buffer cannot be alive, so no message in it is overwritten before it is destroyed.
        let read = unsafe {
            sys::rd_kafka_consume_batch_queue(self.queue.as_ptr(), 0, buffer.messages.as_mut_ptr(), capacity)
        };
        // A negative count is an error of the call itself, which librdkafka returns only for queues of consumers being
        // closed.
        Batch { len: usize::try_from(read).unwrap_or(0).min(capacity), buffer }
    }
}

impl Drop for PartitionQueue {
    fn drop(&mut self) {
        // SAFETY: the reference obtained by `split` is released, once.
        unsafe { sys::rd_kafka_queue_destroy(self.queue.as_ptr()) };
    }
}

/// Reusable room for one batch.
#[derive(Debug)]
pub struct BatchBuffer {
    messages: Vec<*mut sys::rd_kafka_message_t>,
}

impl BatchBuffer {
    /// Room for up to `capacity` records.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { messages: vec![ptr::null_mut(); capacity] }
    }
}

/// The messages of one read. Dropping it returns them to librdkafka.
#[derive(Debug)]
pub struct Batch<'b> {
    buffer: &'b mut BatchBuffer,
    len: usize,
}

impl Batch<'_> {
    /// Whether the queue was empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The entries in log order.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.buffer.messages[..self.len].iter().map(|message| {
            // SAFETY: librdkafka has filled the first `len` pointers with messages that live until they are destroyed,
            // which happens when this batch is dropped; the entry borrows the batch.
            unsafe { entry(*message, PhantomData) }
        })
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        for message in &mut self.buffer.messages[..self.len] {
            // SAFETY: each of these messages was returned to us by the read and is destroyed exactly once, here.
            unsafe { sys::rd_kafka_message_destroy(*message) };
            *message = ptr::null_mut();
        }
    }
}

/// SAFETY (caller): `message` is a live message of librdkafka that is not destroyed within `'a`.
unsafe fn entry<'a>(message: *mut sys::rd_kafka_message_t, _lent: PhantomData<&'a ()>) -> Entry<'a> {
    // SAFETY: by the caller's promise the message is valid for reads.
    let fields = unsafe { &*message };
    match fields.err {
        sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => {
            let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
            // SAFETY: the message is valid, `kind` is a local to write to.
            let timestamp = unsafe { sys::rd_kafka_message_timestamp(message, &raw mut kind) };
            let stamped = !matches!(kind, sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE);
            Entry::Record(Record {
                mark: RecordMark { offset: fields.offset, timestamp: (stamped && timestamp >= 0).then_some(timestamp) },
                // SAFETY: librdkafka returns pointer and length of bytes that live as long as the message.
                key: unsafe { bytes(fields.key, fields.key_len) },
                // SAFETY: as above.
                payload: unsafe { bytes(fields.payload, fields.len) },
                message,
            })
        }
        sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PARTITION_EOF => Entry::PartitionEnd(fields.offset),
        code => {
            // SAFETY: the message is valid; the text it returns is static or lives in the message's payload.
            let text = unsafe { sys::rd_kafka_message_errstr(message) };
            let message = if text.is_null() {
                String::new()
            } else {
                // SAFETY: librdkafka's error texts end with a zero byte.
                unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
            };
            Entry::Error { code: code.into(), message }
        }
    }
}

/// SAFETY (caller): a `data` that is not null points to `len` bytes that live for `'a`.
unsafe fn bytes<'a>(data: *const std::ffi::c_void, len: usize) -> Option<&'a [u8]> {
    // SAFETY: by the caller's promise.
    (!data.is_null()).then(|| unsafe { std::slice::from_raw_parts(data.cast::<u8>(), len) })
}
