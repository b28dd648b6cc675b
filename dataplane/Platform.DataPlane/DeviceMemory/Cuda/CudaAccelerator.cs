using Platform.DataPlane.HostMemory;

namespace Platform.DataPlane.DeviceMemory.Cuda;

/// <summary>An NVIDIA device through CUDA's driver interface, its health through NVML.</summary>
internal sealed unsafe class CudaAccelerator : IAccelerator
{
    private readonly int _device;
    private readonly nint _context;
    private readonly Nvml? _nvml;
    private readonly KeptBlocks _kept;
    private readonly KeptBlocks _keptPinned;
    private long _allocated;
    private int _disposed;

    public CudaAccelerator(int device, AcceleratorInfo info, CudaAcceleratorOptions options)
    {
        (_device, Info) = (device, info);

        // The primary context is the one that other libraries of the process use as well.
        CudaApi.Check(CudaApi.cuDevicePrimaryCtxRetain(out _context, device), nameof(CudaApi.cuDevicePrimaryCtxRetain), info.Name);
        _nvml = Nvml.TryOpen(CudaApi.BusIdOf(device));
        _kept = new KeptBlocks(options.KeptBytes, Free);
        _keptPinned = new KeptBlocks(options.KeptPinnedBytes, UnlockPages);
    }

    public AcceleratorInfo Info { get; }

    public long AllocatedBytes => Interlocked.Read(ref _allocated);

    public IDeviceBuffer? TryAllocate(long lengthBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(lengthBytes);
        if (!_kept.TryTake(lengthBytes, out var memory))
        {
            Enter();
            var error = CudaApi.cuMemAlloc(out memory, (nuint)lengthBytes);
            if (error == CudaApi.OutOfMemory && _kept.Clear())
            {
                error = CudaApi.cuMemAlloc(out memory, (nuint)lengthBytes);
            }

            if (error == CudaApi.OutOfMemory)
            {
                return null;
            }

            CudaApi.Check(error, nameof(CudaApi.cuMemAlloc), Info.Name);
        }

        Interlocked.Add(ref _allocated, lengthBytes);
        return new Buffer(this, memory, lengthBytes);
    }

    public AlignedMemory AllocatePinned(long lengthBytes)
    {
        var length = AlignedMemory.RoundUp(Math.Max(1, lengthBytes));
        if (!_keptPinned.TryTake(length, out var block))
        {
            block = LockPages(length);
        }

        return new AlignedMemory((nint)AlignedMemory.RoundUp((long)block), length, () => _keptPinned.Return(block, length));
    }

    public HostRegistration Register(AlignedMemory memory)
    {
        ArgumentNullException.ThrowIfNull(memory);
        Enter();
        var start = memory.Start;
        CudaApi.Check(CudaApi.cuMemHostRegister(start, (nuint)memory.LengthBytes, CudaApi.HostRegisterPortable), nameof(CudaApi.cuMemHostRegister), Info.Name);
        return new HostRegistration(isPinned: true, () =>
        {
            Enter();
            _ = CudaApi.cuMemHostUnregister(start);
        });
    }

    public ICopyStream OpenStream() => new Stream(this);

    public AcceleratorHealth ReadHealth()
    {
        Enter();
        var free = CudaApi.cuMemGetInfo(out var bytes, out _) == CudaApi.Success ? (long)bytes + _kept.Bytes : (long?)null;
        return (_nvml?.Read() ?? new AcceleratorHealth()) with { FreeBytes = free };
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            _kept.Dispose();
            _keptPinned.Dispose();
            _nvml?.Dispose();
            _ = CudaApi.cuDevicePrimaryCtxRelease(_device);
        }
    }

    /// <summary>The driver promises no alignment; in fact it hands out pages. One page more makes it certain.</summary>
    private ulong LockPages(long lengthBytes)
    {
        Enter();
        CudaApi.Check(CudaApi.cuMemHostAlloc(out var host, (nuint)(lengthBytes + AlignedMemory.AlignmentBytes), CudaApi.HostAllocPortable), nameof(CudaApi.cuMemHostAlloc), Info.Name);
        return (ulong)host;
    }

    private void UnlockPages(ulong host)
    {
        Enter();
        _ = CudaApi.cuMemFreeHost((nint)host);
    }

    private void Free(ulong memory)
    {
        Enter();
        _ = CudaApi.cuMemFree(memory);
    }

    /// <summary>The driver keeps a current context per thread, and ours come from the pool.</summary>
    private void Enter() => CudaApi.Check(CudaApi.cuCtxSetCurrent(_context), nameof(CudaApi.cuCtxSetCurrent), Info.Name);

    private sealed class Buffer(CudaAccelerator owner, ulong memory, long lengthBytes) : IDeviceBuffer
    {
        private int _disposed;

        public ulong Address => memory;

        public long LengthBytes => lengthBytes;

        public AlignedMemory? HostView => null;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _disposed, 1) == 0)
            {
                owner._kept.Return(memory, lengthBytes);
                Interlocked.Add(ref owner._allocated, -lengthBytes);
            }
        }
    }

    private sealed class Stream : ICopyStream
    {
        private readonly CudaAccelerator _owner;
        private readonly nint _stream;
        private readonly CopyQueue _events = new("cuda-copy");

        /// <summary>Held while the driver is told of a copy: a stream that is destroyed in between is memory that the driver has freed.</summary>
        private readonly Lock _gate = new();
        private bool _disposed;

        public Stream(CudaAccelerator owner)
        {
            _owner = owner;
            owner.Enter();
            CudaApi.Check(CudaApi.cuStreamCreate(out _stream, CudaApi.StreamNonBlocking), nameof(CudaApi.cuStreamCreate), owner.Info.Name);
        }

        public Task CopyToDeviceAsync(ReadOnlyMemory<byte> source, IDeviceBuffer target, long offsetBytes)
        {
            var buffer = BufferRange.Check<Buffer>(target, offsetBytes, source.Length);
            var pin = source.Pin();
            return Submit(nameof(CudaApi.cuMemcpyHtoDAsync), pin.Dispose, () =>
                source.IsEmpty ? CudaApi.Success : CudaApi.cuMemcpyHtoDAsync(buffer.Address + (ulong)offsetBytes, pin.Pointer, (nuint)source.Length, _stream));
        }

        public Task CopyToHostAsync(IDeviceBuffer source, long offsetBytes, Memory<byte> target)
        {
            var buffer = BufferRange.Check<Buffer>(source, offsetBytes, target.Length);
            var pin = target.Pin();
            return Submit(nameof(CudaApi.cuMemcpyDtoHAsync), pin.Dispose, () =>
                target.IsEmpty ? CudaApi.Success : CudaApi.cuMemcpyDtoHAsync(pin.Pointer, buffer.Address + (ulong)offsetBytes, (nuint)target.Length, _stream));
        }

        public Task RecordAsync() => Submit(nameof(CudaApi.cuEventRecord), static () => { }, static () => CudaApi.Success);

        public void Dispose()
        {
            lock (_gate)
            {
                if (_disposed)
                {
                    return;
                }

                _disposed = true;
            }

            _events.Dispose();
            _owner.Enter();
            _ = CudaApi.cuStreamDestroy(_stream);
        }

        /// <summary>Queues a copy with an event behind it, which the stream's thread waits for without spinning.</summary>
        private Task Submit(string call, Action unpin, Func<int> copy)
        {
            _owner.Enter();
            var name = _owner.Info.Name;
            nint done = 0;
            lock (_gate)
            {
                try
                {
                    ObjectDisposedException.ThrowIf(_disposed, typeof(ICopyStream));
                    CudaApi.Check(CudaApi.cuEventCreate(out done, CudaApi.EventBlockingSync | CudaApi.EventDisableTiming), nameof(CudaApi.cuEventCreate), name);
                    CudaApi.Check(copy(), call, name);
                    CudaApi.Check(CudaApi.cuEventRecord(done, _stream), nameof(CudaApi.cuEventRecord), name);
                }
                catch
                {
                    unpin();
                    if (done != 0)
                    {
                        _ = CudaApi.cuEventDestroy(done);
                    }

                    throw;
                }

                return _events.Add(() =>
                {
                    _owner.Enter();
                    var outcome = CudaApi.cuEventSynchronize(done);
                    _ = CudaApi.cuEventDestroy(done);
                    unpin();
                    CudaApi.Check(outcome, call, name);
                });
            }
        }
    }
}
