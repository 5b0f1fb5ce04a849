//! Checkpoints: a committed Kafka offset with a few numbers as metadata.
//!
//! The log is the state. The committed offset of a partition is its **low offset** (the first record of any window the
//! task still holds), with a few numbers as the commit's metadata. The next owner of the partition starts there and
//! repeats every decision exactly.

use serde::{Deserialize, Serialize};

use crate::window::WindowSize;

/// One record, identified by its offset and its Kafka timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(i64, Option<i64>)", from = "(i64, Option<i64>)")]
pub struct RecordMark {
    /// Its offset.
    pub offset: i64,
    /// Its Kafka timestamp (epoch ms), if it has one.
    pub timestamp: Option<i64>,
}

impl From<(i64, Option<i64>)> for RecordMark {
    fn from((offset, timestamp): (i64, Option<i64>)) -> Self {
        Self { offset, timestamp }
    }
}

impl From<RecordMark> for (i64, Option<i64>) {
    fn from(mark: RecordMark) -> Self {
        (mark.offset, mark.timestamp)
    }
}

/// The contents of one partition's commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionCheckpoint {
    /// The committed offset: the first record of any window held, or the position if none is held.
    pub low_offset: i64,
    /// The largest event time (epoch ms) before the low offset, with which the replay starts.
    pub maximum: Option<i64>,
    /// The largest event time before the position; needed only if the log has lost the records in between.
    pub maximum_at_position: Option<i64>,
    /// The next offset to read. Dead letters of all records before it are acknowledged.
    pub position: i64,
    /// The closed mark: the end of the newest window that the task has let go.
    pub closed: Option<i64>,
    /// The end of the newest window that any record before the position belongs to.
    pub newest: Option<i64>,
    /// The record at the low offset, or the last one read if no window is held. A different timestamp there means a
    /// different log.
    pub anchor: Option<RecordMark>,
    /// The window length the counts were made with.
    pub window_size: WindowSize,
}

/// A checkpoint of both partitions of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// The commit of each partition, in the order of [`crate::side::Side`].
    pub partitions: [PartitionCheckpoint; 2],
    /// How many dead letters the task had issued. All of them must be acknowledged before this may be committed.
    pub after_letters: u64,
}

/// Why the metadata of a commit cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// There is none, or another program wrote it: the offsets were set by a tool.
    #[error("the commit carries no metadata of this pipeline")]
    Foreign,
    /// A later version of the pipeline wrote it.
    #[error(
        "the commit was written by a newer version of the pipeline (metadata version {0}, this one reads {VERSION})"
    )]
    Newer(u64),
}

const VERSION: u64 = 1;

/// The commit metadata as JSON, with short names because the broker stores it with every commit.
#[derive(Serialize, Deserialize)]
struct Metadata {
    v: u64,
    pos: i64,
    size: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    top: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    closed: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    newest: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    anchor: Option<RecordMark>,
}

#[derive(Deserialize)]
struct Version {
    v: u64,
}

impl PartitionCheckpoint {
    /// The checkpoint of a partition that is to be read from `offset` on, without any history.
    #[must_use]
    pub const fn begin_at(offset: i64, window_size: WindowSize) -> Self {
        Self {
            low_offset: offset,
            maximum: None,
            maximum_at_position: None,
            position: offset,
            closed: None,
            newest: None,
            anchor: None,
            window_size,
        }
    }

    /// The metadata to commit with the low offset: well below the broker's limit of 4096 bytes.
    #[must_use]
    pub fn metadata(&self) -> String {
        let metadata = Metadata {
            v: VERSION,
            pos: self.position,
            size: self.window_size.ms(),
            max: self.maximum,
            top: self.maximum_at_position,
            closed: self.closed,
            newest: self.newest,
            anchor: self.anchor,
        };
        // A struct of numbers always serializes; an empty text would be read as offsets set by a tool.
        serde_json::to_string(&metadata).unwrap_or_default()
    }

    /// Parses the metadata of a commit.
    ///
    /// # Errors
    ///
    /// [`MetadataError::Foreign`] if the metadata is missing, unreadable or contradicts the offset;
    /// [`MetadataError::Newer`] if it must not be interpreted.
    pub fn from_commit(offset: i64, metadata: &str) -> Result<Self, MetadataError> {
        let version: Version = serde_json::from_str(metadata).map_err(|_| MetadataError::Foreign)?;
        if version.v > VERSION {
            return Err(MetadataError::Newer(version.v));
        }
        let metadata: Metadata = serde_json::from_str(metadata).map_err(|_| MetadataError::Foreign)?;
        let window_size = WindowSize::from_ms(metadata.size).ok_or(MetadataError::Foreign)?;
        if offset < 0 || metadata.pos < offset {
            return Err(MetadataError::Foreign);
        }
        Ok(Self {
            low_offset: offset,
            maximum: metadata.max,
            maximum_at_position: metadata.top,
            position: metadata.pos,
            closed: metadata.closed,
            newest: metadata.newest,
            anchor: metadata.anchor,
            window_size,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> PartitionCheckpoint {
        PartitionCheckpoint {
            low_offset: 41,
            maximum: Some(1_700_000_000_000),
            maximum_at_position: Some(1_700_000_017_000),
            position: 99,
            closed: Some(1_700_000_000_000),
            newest: Some(1_700_000_020_000),
            anchor: Some(RecordMark { offset: 41, timestamp: Some(1_700_000_001_234) }),
            window_size: WindowSize::from_ms(10_000).unwrap(),
        }
    }

    #[test]
    fn a_commit_is_read_back_as_it_was_written() {
        for checkpoint in [full(), PartitionCheckpoint::begin_at(41, full().window_size)] {
            let metadata = checkpoint.metadata();
            assert!(metadata.len() < 300, "{metadata}");
            assert_eq!(PartitionCheckpoint::from_commit(41, &metadata), Ok(checkpoint));
        }
    }

    #[test]
    fn what_a_tool_wrote_is_foreign() {
        for metadata in ["", "{}", "reset by hand", "{\"v\":1}", "{\"v\":1,\"pos\":99,\"size\":0}", "[1]"] {
            assert_eq!(PartitionCheckpoint::from_commit(41, metadata), Err(MetadataError::Foreign), "{metadata}");
        }
    }

    #[test]
    fn metadata_kept_while_the_offset_was_moved_past_it_is_foreign() {
        assert_eq!(PartitionCheckpoint::from_commit(100, &full().metadata()), Err(MetadataError::Foreign));
    }

    #[test]
    fn a_newer_version_is_not_guessed_at() {
        let newer = full().metadata().replace("\"v\":1", "\"v\":2");
        assert_eq!(PartitionCheckpoint::from_commit(41, &newer), Err(MetadataError::Newer(2)));
    }
}
