package ctr.flink;

/** One recorded event. A plain object with public fields, because the harness copies it with Flink's POJO serializer. */
public class Event {
    /** The line of the recording it stands on: the first line is 1. */
    public int line;
    /** The Kafka partition it was read from: an index into {@link Recording#partitions()}. */
    public int partition;
    public long offset;
    /** Event time, epoch milliseconds. */
    public long timestamp;
    public String product;
    public boolean click;
}
