using Platform.DataPlane.DeviceMemory;
using Platform.DataPlane.DeviceMemory.Host;
using Platform.DataPlane.HostMemory;

namespace Platform.UnitTests.Staging;

/// <summary>Host memory behind a door: a device whose memory the processor cannot see, so that every byte goes through pinned buffers, which are counted.</summary>
internal sealed class DeviceOfItsOwn(long capacityBytes) : IAccelerator
{
    private readonly HostAccelerator _memory = new(new HostAcceleratorOptions { CapacityBytes = capacityBytes });
    private long _pinned;
    private long _mostPinned;

    public AcceleratorInfo Info => _memory.Info with { Kind = AcceleratorKind.OpenCl, Name = "A device of its own", IsProcessor = false };

    public long AllocatedBytes => _memory.AllocatedBytes;

    /// <summary>Pinned bytes that are taken now.</summary>
    public long PinnedBytes => Interlocked.Read(ref _pinned);

    /// <summary>Most that were at once.</summary>
    public long MostPinnedBytes => Interlocked.Read(ref _mostPinned);

    public IDeviceBuffer? TryAllocate(long lengthBytes) => _memory.TryAllocate(lengthBytes) is { } buffer ? new Hidden(buffer) : null;

    public AlignedMemory AllocatePinned(long lengthBytes)
    {
        var memory = _memory.AllocatePinned(lengthBytes);
        var now = Interlocked.Add(ref _pinned, memory.LengthBytes);
        for (var most = MostPinnedBytes; most < now; most = MostPinnedBytes)
        {
            Interlocked.CompareExchange(ref _mostPinned, now, most);
        }

        return new AlignedMemory(memory.Start, memory.LengthBytes, () =>
        {
            Interlocked.Add(ref _pinned, -memory.LengthBytes);
            memory.Dispose();
        });
    }

    public HostRegistration Register(AlignedMemory memory) => _memory.Register(memory);

    public ICopyStream OpenStream() => new Stream(_memory.OpenStream());

    public AcceleratorHealth ReadHealth() => _memory.ReadHealth();

    public void Dispose() => _memory.Dispose();

    private sealed class Hidden(IDeviceBuffer buffer) : IDeviceBuffer
    {
        public IDeviceBuffer Buffer => buffer;

        public long LengthBytes => buffer.LengthBytes;

        public AlignedMemory? HostView => null;

        public void Dispose() => buffer.Dispose();
    }

    private sealed class Stream(ICopyStream stream) : ICopyStream
    {
        public Task CopyToDeviceAsync(ReadOnlyMemory<byte> source, IDeviceBuffer target, long offsetBytes) => stream.CopyToDeviceAsync(source, ((Hidden)target).Buffer, offsetBytes);

        public Task CopyToHostAsync(IDeviceBuffer source, long offsetBytes, Memory<byte> target) => stream.CopyToHostAsync(((Hidden)source).Buffer, offsetBytes, target);

        public Task RecordAsync() => stream.RecordAsync();

        public void Dispose() => stream.Dispose();
    }
}
