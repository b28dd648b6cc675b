using Platform.DataPlane.HostMemory;

namespace Platform.DataPlane.DeviceMemory.OpenCl;

/// <summary>A device behind OpenCL, of any vendor. On a machine with PoCL alone that is the processor, and <see cref="AcceleratorInfo.IsProcessor"/> says so.</summary>
internal sealed unsafe class OpenClAccelerator : IAccelerator
{
    private readonly nint _device;
    private readonly nint _context;
    private readonly nint _queue;
    private long _allocated;
    private int _disposed;

    public OpenClAccelerator(nint device, AcceleratorInfo info)
    {
        (_device, Info) = (device, info);
        _context = OpenClApi.clCreateContext(0, 1, in device, 0, 0, out var error);
        OpenClApi.Check(error, nameof(OpenClApi.clCreateContext), info.Name);
        _queue = NewQueue();
    }

    public AcceleratorInfo Info { get; }

    public long AllocatedBytes => Interlocked.Read(ref _allocated);

    public IDeviceBuffer? TryAllocate(long lengthBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(lengthBytes);

        // Drivers may put allocation off until the first use, so the sum is held to the capacity here.
        if (Interlocked.Add(ref _allocated, lengthBytes) <= Info.CapacityBytes && Allocate(OpenClApi.MemReadWrite, lengthBytes) is { } memory)
        {
            return new Buffer(this, memory, lengthBytes);
        }

        Interlocked.Add(ref _allocated, -lengthBytes);
        return null;
    }

    public AlignedMemory AllocatePinned(long lengthBytes)
    {
        // A mapped buffer begins where the driver likes; direct I/O wants a page.
        var length = AlignedMemory.RoundUp(lengthBytes);
        var size = (nuint)(length + AlignedMemory.AlignmentBytes);
        var memory = Allocate(OpenClApi.MemReadWrite | OpenClApi.MemAllocHostPtr, (long)size)
            ?? throw new AcceleratorException($"'{Info.Name}' has no {lengthBytes} bytes of pinned host memory.", OpenClApi.OutOfHostMemory);
        var mapped = OpenClApi.clEnqueueMapBuffer(_queue, memory, 1, OpenClApi.MapReadWrite, 0, size, 0, 0, 0, out var error);
        if (error != OpenClApi.Success)
        {
            _ = OpenClApi.clReleaseMemObject(memory);
        }

        OpenClApi.Check(error, nameof(OpenClApi.clEnqueueMapBuffer), Info.Name);
        var pinned = (nint)mapped;
        return new AlignedMemory((nint)AlignedMemory.RoundUp(pinned), length, () =>
        {
            _ = OpenClApi.clEnqueueUnmapMemObject(_queue, memory, (void*)pinned, 0, 0, 0);
            _ = OpenClApi.clFinish(_queue);
            _ = OpenClApi.clReleaseMemObject(memory);
        });
    }

    /// <summary>OpenCL cannot lock memory that exists already without giving it away to a buffer, so copies from such memory go the driver's ordinary way.</summary>
    public HostRegistration Register(AlignedMemory memory) => new(isPinned: false, static () => { });

    public ICopyStream OpenStream() => new Stream(this);

    /// <summary>OpenCL tells nothing about other processes, temperature or power.</summary>
    public AcceleratorHealth ReadHealth() => new();

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            _ = OpenClApi.clReleaseCommandQueue(_queue);
            _ = OpenClApi.clReleaseContext(_context);
        }
    }

    private nint NewQueue()
    {
        var queue = OpenClApi.clCreateCommandQueue(_context, _device, 0, out var error);
        OpenClApi.Check(error, nameof(OpenClApi.clCreateCommandQueue), Info.Name);
        return queue;
    }

    private nint? Allocate(ulong flags, long lengthBytes)
    {
        var memory = OpenClApi.clCreateBuffer(_context, flags, (nuint)lengthBytes, 0, out var error);
        if (error is OpenClApi.InvalidBufferSize or OpenClApi.MemObjectAllocationFailure or OpenClApi.OutOfResources or OpenClApi.OutOfHostMemory)
        {
            return null;
        }

        OpenClApi.Check(error, nameof(OpenClApi.clCreateBuffer), Info.Name);
        return memory;
    }

    private sealed class Buffer(OpenClAccelerator owner, nint memory, long lengthBytes) : IDeviceBuffer
    {
        private int _disposed;

        public nint Handle => memory;

        public long LengthBytes => lengthBytes;

        public AlignedMemory? HostView => null;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _disposed, 1) == 0)
            {
                _ = OpenClApi.clReleaseMemObject(memory);
                Interlocked.Add(ref owner._allocated, -lengthBytes);
            }
        }
    }

    private sealed class Stream(OpenClAccelerator owner) : ICopyStream
    {
        private readonly nint _queue = owner.NewQueue();
        private readonly CopyQueue _events = new("opencl-copy");

        /// <summary>Held while the driver is told of a copy: a queue that is released in between is memory that the driver has freed.</summary>
        private readonly Lock _gate = new();
        private bool _disposed;

        public Task CopyToDeviceAsync(ReadOnlyMemory<byte> source, IDeviceBuffer target, long offsetBytes)
        {
            var buffer = BufferRange.Check<Buffer>(target, offsetBytes, source.Length);
            if (source.IsEmpty)
            {
                return RecordAsync();
            }

            var pin = source.Pin();
            return Submit(nameof(OpenClApi.clEnqueueWriteBuffer), pin.Dispose, (out completed) =>
                OpenClApi.clEnqueueWriteBuffer(_queue, buffer.Handle, 0, (nuint)offsetBytes, (nuint)source.Length, pin.Pointer, 0, 0, out completed));
        }

        public Task CopyToHostAsync(IDeviceBuffer source, long offsetBytes, Memory<byte> target)
        {
            var buffer = BufferRange.Check<Buffer>(source, offsetBytes, target.Length);
            if (target.IsEmpty)
            {
                return RecordAsync();
            }

            var pin = target.Pin();
            return Submit(nameof(OpenClApi.clEnqueueReadBuffer), pin.Dispose, (out completed) =>
                OpenClApi.clEnqueueReadBuffer(_queue, buffer.Handle, 0, (nuint)offsetBytes, (nuint)target.Length, pin.Pointer, 0, 0, out completed));
        }

        public Task RecordAsync() =>
            Submit(nameof(OpenClApi.clEnqueueMarkerWithWaitList), static () => { }, (out completed) => OpenClApi.clEnqueueMarkerWithWaitList(_queue, 0, 0, out completed));

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
            _ = OpenClApi.clReleaseCommandQueue(_queue);
        }

        private delegate int Enqueue(out nint completed);

        private Task Submit(string call, Action unpin, Enqueue enqueue)
        {
            lock (_gate)
            {
                nint completed;
                try
                {
                    ObjectDisposedException.ThrowIf(_disposed, typeof(ICopyStream));
                    OpenClApi.Check(enqueue(out completed), call, owner.Info.Name);
                }
                catch
                {
                    unpin();
                    throw;
                }

                // Without a flush the driver may keep the command to itself until somebody waits.
                _ = OpenClApi.clFlush(_queue);
                return _events.Add(() =>
                {
                    var outcome = OpenClApi.clWaitForEvents(1, in completed);
                    _ = OpenClApi.clReleaseEvent(completed);
                    unpin();
                    OpenClApi.Check(outcome, call, owner.Info.Name);
                });
            }
        }
    }
}
