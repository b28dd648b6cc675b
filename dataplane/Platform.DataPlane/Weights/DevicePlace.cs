using Platform.DataPlane.DeviceMemory;
using Platform.DataPlane.HostMemory;

namespace Platform.DataPlane.Weights;

/// <summary>Where a weights file lies on a device, and the way there.</summary>
/// <param name="Room">The model's share of the device.</param>
/// <param name="Buffer">The file from <paramref name="OriginBytes"/> to its end.</param>
/// <param name="OriginBytes">Byte of the file that lies at the buffer's beginning.</param>
/// <param name="Stream">Copies.</param>
/// <param name="Ring">Pinned buffers for chunks that are kept nowhere else.</param>
internal sealed record DevicePlace(DeviceRoom Room, IDeviceBuffer Buffer, long OriginBytes, ICopyStream Stream, AlignedBufferPool Ring)
{
    /// <summary>Memory that direct I/O may read the file into, byte for byte; null if it has to be copied there.</summary>
    public AlignedMemory? Direct => OriginBytes % AlignedMemory.AlignmentBytes == 0 ? Buffer.HostView : null;

    /// <summary>Takes the file's place out of a room.</summary>
    /// <remarks>
    /// On a device of its own the data section begins at the buffer's beginning, so that tensors keep the alignment that they have in it. Device memory that is the machine's own takes the whole file,
    /// so that the disk reads straight into it, unless that would leave tensors at odd addresses.
    /// </remarks>
    public static DevicePlace Take(DeviceRoom room, SafetensorsHeader header, ICopyStream stream, AlignedBufferPool ring)
    {
        var isHost = room.Accelerator.Info.Kind == AcceleratorKind.Host;
        var origin = isHost && header.DataOffsetBytes % TensorAlignmentBytes == 0 ? 0 : header.DataOffsetBytes;
        return new DevicePlace(room, room.Allocate(header.FileLengthBytes - origin), origin, stream, ring);
    }

    /// <summary>What kernels want of the address of a tensor.</summary>
    public const int TensorAlignmentBytes = 64;
}

/// <summary>A tensor in device memory.</summary>
/// <param name="Info">Name, type and shape.</param>
/// <param name="Buffer">Memory that it lies in; freed with the model's room.</param>
/// <param name="OffsetBytes">Where it begins in there.</param>
public sealed record DeviceTensor(TensorInfo Info, IDeviceBuffer Buffer, long OffsetBytes);
