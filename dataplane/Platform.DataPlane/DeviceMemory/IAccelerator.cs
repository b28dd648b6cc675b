using Platform.DataPlane.HostMemory;

namespace Platform.DataPlane.DeviceMemory;

/// <summary>The memory of one device and the ways into it: device buffers, host memory that the device copies from fast, streams of copies.</summary>
/// <remarks>Safe for any number of threads. Dispose streams, buffers and pinned memory first.</remarks>
public interface IAccelerator : IDisposable
{
    /// <summary>What the device is, in its driver's words.</summary>
    AcceleratorInfo Info { get; }

    /// <summary>Bytes in buffers that this object allocated.</summary>
    long AllocatedBytes { get; }

    /// <summary>Takes device memory, not zeroed.</summary>
    /// <param name="lengthBytes">At least 1.</param>
    /// <returns>Null if the device has not so much; that is an outcome, not a fault.</returns>
    /// <exception cref="AcceleratorException">The driver failed for another reason.</exception>
    IDeviceBuffer? TryAllocate(long lengthBytes);

    /// <summary>Takes host memory that the device copies from and to without a detour: page-locked where the driver has such a thing.</summary>
    /// <exception cref="AcceleratorException">The driver refused.</exception>
    AlignedMemory AllocatePinned(long lengthBytes);

    /// <summary>Makes host memory that exists already fit for direct copies, until the result is disposed, which must come before the memory is.</summary>
    /// <returns><see cref="HostRegistration.IsPinned"/> says whether the driver can do that.</returns>
    /// <exception cref="AcceleratorException">The driver refused.</exception>
    HostRegistration Register(AlignedMemory memory);

    /// <summary>Opens a stream: its copies run one after the other, those of different streams side by side where the device can.</summary>
    ICopyStream OpenStream();

    /// <summary>Looks at the device now.</summary>
    AcceleratorHealth ReadHealth();
}

/// <summary>Memory of a device. Dispose it after the last copy that touches it has completed.</summary>
public interface IDeviceBuffer : IDisposable
{
    /// <summary>Usable bytes, exactly as asked for.</summary>
    long LengthBytes { get; }

    /// <summary>The bytes themselves where the processor can reach them, which is the case for host memory alone; null otherwise. Begins at a multiple of 4096.</summary>
    AlignedMemory? HostView { get; }
}

/// <summary>Copies between host and device, in the order in which they are asked for.</summary>
public interface ICopyStream : IDisposable
{
    /// <summary>Copies into the device. <paramref name="source"/> must not change or be freed before the task completes.</summary>
    /// <param name="source">Host bytes; fastest from <see cref="IAccelerator.AllocatePinned"/> or registered memory.</param>
    /// <param name="target">Where to.</param>
    /// <param name="offsetBytes">First byte in <paramref name="target"/>.</param>
    /// <returns>Completes when the stream has passed the copy, not when it is queued. A copy once asked for is not withdrawn.</returns>
    /// <exception cref="ArgumentOutOfRangeException">It would end outside of the buffer.</exception>
    Task CopyToDeviceAsync(ReadOnlyMemory<byte> source, IDeviceBuffer target, long offsetBytes);

    /// <summary>Copies out of the device.</summary>
    /// <inheritdoc cref="CopyToDeviceAsync"/>
    Task CopyToHostAsync(IDeviceBuffer source, long offsetBytes, Memory<byte> target);

    /// <summary>An event: completes when everything that was asked for before has been done.</summary>
    Task RecordAsync();
}

/// <summary>Host memory made known to a device's driver.</summary>
/// <param name="isPinned">True if its pages are locked now, so that copies are direct.</param>
/// <param name="release">Undoes it.</param>
public sealed class HostRegistration(bool isPinned, Action release) : IDisposable
{
    private Action? _release = release;

    /// <summary>True if its pages are locked; false if the driver has no way to do that to memory which it did not allocate.</summary>
    public bool IsPinned => isPinned;

    /// <inheritdoc/>
    public void Dispose() => Interlocked.Exchange(ref _release, null)?.Invoke();
}
