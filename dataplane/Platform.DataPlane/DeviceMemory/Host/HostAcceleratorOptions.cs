namespace Platform.DataPlane.DeviceMemory.Host;

/// <summary>Settings of a <see cref="HostAccelerator"/>.</summary>
public sealed record HostAcceleratorOptions
{
    /// <summary>Bytes that its buffers may take together. Default: half of the machine's memory.</summary>
    public long CapacityBytes { get; init; } = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2;

    /// <summary>Bytes per second that a stream copies at most; null (the default): as fast as the memory goes.</summary>
    public double? CopyBytesPerSecond { get; init; }

    /// <summary>The clock that <see cref="CopyBytesPerSecond"/> goes by.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
