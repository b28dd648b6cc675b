using Platform.DataPlane.DeviceMemory;
using Platform.DataPlane.HostMemory;

namespace Platform.DataPlane.Weights;

/// <summary>Where a weights file lies on a device, and the way there.</summary>
/// <param name="Room">The model's share of the device.</param>
/// <param name="Buffer">The file's data section. It begins at the buffer's beginning, so that tensors keep the alignment that they have in it.</param>
/// <param name="DataOffsetBytes">First byte of the data section in the file.</param>
/// <param name="Stream">Copies.</param>
/// <param name="Ring">Pinned buffers for chunks that are kept nowhere else.</param>
internal sealed record DevicePlace(DeviceRoom Room, IDeviceBuffer Buffer, long DataOffsetBytes, ICopyStream Stream, AlignedBufferPool Ring);

/// <summary>A tensor in device memory.</summary>
/// <param name="Info">Name, type and shape.</param>
/// <param name="Buffer">Memory that it lies in; freed with the model's room.</param>
/// <param name="OffsetBytes">Where it begins in there.</param>
public sealed record DeviceTensor(TensorInfo Info, IDeviceBuffer Buffer, long OffsetBytes);
