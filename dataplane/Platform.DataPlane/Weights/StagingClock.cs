namespace Platform.DataPlane.Weights;

/// <summary>When a load passed the points that its report tells, counted from its start.</summary>
/// <remarks>Thread-safe; the first to pass a point sets it.</remarks>
internal sealed class StagingClock(TimeProvider time)
{
    private readonly long _started = time.GetTimestamp();
    private long _openedTicks;
    private long _firstTensorTicks;
    private long _completedTicks;

    /// <summary>Until the tensors were known; zero before.</summary>
    public TimeSpan Opened => At(ref _openedTicks) ?? TimeSpan.Zero;

    public TimeSpan? FirstTensor => At(ref _firstTensorTicks);

    public TimeSpan? Completed => At(ref _completedTicks);

    public void MarkOpened() => Mark(ref _openedTicks);

    public void MarkFirstTensor() => Mark(ref _firstTensorTicks);

    public void MarkCompleted() => Mark(ref _completedTicks);

    private void Mark(ref long ticks) => Interlocked.CompareExchange(ref ticks, Math.Max(1, time.GetElapsedTime(_started).Ticks), 0);

    private static TimeSpan? At(ref long ticks) => Interlocked.Read(ref ticks) is > 0 and var value ? TimeSpan.FromTicks(value) : null;
}
