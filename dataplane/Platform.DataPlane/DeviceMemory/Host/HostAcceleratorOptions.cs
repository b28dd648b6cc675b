namespace Platform.DataPlane.DeviceMemory.Host;

/// <summary>Settings of a <see cref="HostAccelerator"/>.</summary>
public sealed record HostAcceleratorOptions
{
    /// <summary>Bytes that its buffers may take together. Default: half of the machine's memory.</summary>
    public long CapacityBytes { get; init; } = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2;

    /// <summary>Memory of freed buffers that is kept for the next ones, bytes, within the capacity: fresh memory costs a page fault per page, and the system zeroes it. Default 0.</summary>
    public long KeptBytes { get; init; }

    /// <summary>Bytes per second that a stream copies at most; null (the default): as fast as the memory goes.</summary>
    public double? CopyBytesPerSecond { get; init; }

    /// <summary>The clock that <see cref="CopyBytesPerSecond"/> goes by.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
