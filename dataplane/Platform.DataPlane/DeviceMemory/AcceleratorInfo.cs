namespace Platform.DataPlane.DeviceMemory;

/// <summary>Through which driver a device is reached.</summary>
public enum AcceleratorKind
{
    /// <summary>Plain memory of this process; no driver.</summary>
    Host,

    /// <summary>OpenCL.</summary>
    OpenCl,

    /// <summary>CUDA's driver interface.</summary>
    Cuda,
}

/// <summary>What a device is.</summary>
/// <param name="Kind">How it is reached.</param>
/// <param name="Name">The device's own name.</param>
/// <param name="Driver">The driver's own name and version.</param>
/// <param name="CapacityBytes">Memory of the device.</param>
/// <param name="MaxBufferBytes">Largest single buffer.</param>
/// <param name="IsProcessor">True if the "device" is this machine's processor with its ordinary memory.</param>
public sealed record AcceleratorInfo(AcceleratorKind Kind, string Name, string Driver, long CapacityBytes, long MaxBufferBytes, bool IsProcessor)
{
    /// <summary>For start-up lines and heartbeats: <c>NVIDIA H200 (CUDA 12.4)</c>.</summary>
    public override string ToString() => $"{Name} ({Driver})";
}

/// <summary>A look at a device. What the driver does not tell is null.</summary>
public sealed record AcceleratorHealth
{
    /// <summary>Memory that nobody, in any process, has taken, bytes.</summary>
    public long? FreeBytes { get; init; }

    /// <summary>Share of the time in which the device computed, 0 to 1.</summary>
    public double? Utilization { get; init; }

    /// <summary>Degrees Celsius.</summary>
    public int? TemperatureCelsius { get; init; }

    /// <summary>Watts.</summary>
    public double? PowerWatts { get; init; }

    /// <summary>Memory errors since the driver was loaded that could not be corrected.</summary>
    public long? UncorrectedMemoryErrors { get; init; }

    /// <summary>The latest critical fault that the driver reported since this object was opened (NVIDIA's Xid number).</summary>
    public long? LastXid { get; init; }
}

/// <summary>A device's driver failed. The message names the call, the device and the driver's own word for it.</summary>
public sealed class AcceleratorException : Exception
{
    /// <summary>Makes the exception.</summary>
    public AcceleratorException(string message, int code = 0)
        : base(message) => Code = code;

    /// <summary>The driver's number.</summary>
    public int Code { get; }
}
