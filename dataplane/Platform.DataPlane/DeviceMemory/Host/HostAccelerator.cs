using System.Runtime.Intrinsics.X86;
using Platform.DataPlane.HostMemory;

namespace Platform.DataPlane.DeviceMemory.Host;

/// <summary>The machine's own memory as device memory, for engines that compute on the processor. It copies for real, holds to its capacity, and counts.</summary>
public sealed class HostAccelerator : IAccelerator
{
    private readonly HostAcceleratorOptions _options;
    private readonly Lock _gate = new();

    /// <summary>Memory of freed buffers, the latest last.</summary>
    private readonly List<AlignedMemory> _kept = [];
    private long _allocated;
    private long _copies;
    private long _copiedBytes;
    private bool _disposed;

    /// <summary>Opens it.</summary>
    public HostAccelerator(HostAcceleratorOptions? options = null)
    {
        _options = options ?? new HostAcceleratorOptions();
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(_options.CapacityBytes, nameof(options));
        Info = new AcceleratorInfo(AcceleratorKind.Host, "Host memory", ProcessorName, _options.CapacityBytes, _options.CapacityBytes, IsProcessor: true);
    }

    /// <summary>The processor in the words that matter to an engine.</summary>
    public static string ProcessorName { get; } = $"{(Avx512F.IsSupported ? "AVX-512" : Avx2.IsSupported ? "AVX2" : "no AVX2")}, {Environment.ProcessorCount} processors";

    /// <inheritdoc/>
    public AcceleratorInfo Info { get; }

    /// <inheritdoc/>
    public long AllocatedBytes => Interlocked.Read(ref _allocated);

    /// <summary>Copies made, in both directions.</summary>
    public long Copies => Interlocked.Read(ref _copies);

    /// <summary>Bytes that they moved.</summary>
    public long CopiedBytes => Interlocked.Read(ref _copiedBytes);

    /// <inheritdoc/>
    public IDeviceBuffer? TryAllocate(long lengthBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(lengthBytes);
        if (Interlocked.Add(ref _allocated, lengthBytes) <= _options.CapacityBytes)
        {
            try
            {
                return new Buffer(this, TakeKept(lengthBytes) ?? new AlignedMemory(lengthBytes), lengthBytes);
            }
            catch (OutOfMemoryException)
            {
                // The machine has less than the capacity that was promised: the same outcome.
            }
        }

        Interlocked.Add(ref _allocated, -lengthBytes);
        return null;
    }

    /// <inheritdoc/>
    public AlignedMemory AllocatePinned(long lengthBytes) => new(lengthBytes);

    /// <inheritdoc/>
    public HostRegistration Register(AlignedMemory memory) => new(isPinned: false, static () => { });

    /// <inheritdoc/>
    public ICopyStream OpenStream() => new Stream(this);

    /// <inheritdoc/>
    public AcceleratorHealth ReadHealth() => new() { FreeBytes = _options.CapacityBytes - AllocatedBytes };

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            _kept.ForEach(static memory => memory.Dispose());
            _kept.Clear();
        }
    }

    /// <summary>Memory of a freed buffer that fits without much waste; and lets go of so much of the rest that all of it together stays within the capacity.</summary>
    private AlignedMemory? TakeKept(long lengthBytes)
    {
        lock (_gate)
        {
            var index = _kept.FindLastIndex(memory => memory.LengthBytes >= lengthBytes && memory.LengthBytes <= AlignedMemory.RoundUp(lengthBytes + (lengthBytes / 4)));
            var found = index < 0 ? null : _kept[index];
            if (found is not null)
            {
                _kept.RemoveAt(index);
            }

            Trim(Math.Min(_options.KeptBytes, _options.CapacityBytes - AllocatedBytes));
            return found;
        }
    }

    private void Keep(AlignedMemory memory)
    {
        lock (_gate)
        {
            if (_disposed)
            {
                memory.Dispose();
                return;
            }

            _kept.Add(memory);
            Trim(Math.Min(_options.KeptBytes, _options.CapacityBytes - AllocatedBytes));
        }
    }

    /// <summary>Called under the gate.</summary>
    private void Trim(long limitBytes)
    {
        while (_kept.Count > 0 && _kept.Sum(static memory => memory.LengthBytes) > limitBytes)
        {
            _kept[0].Dispose();
            _kept.RemoveAt(0);
        }
    }

    private void Count(int bytes)
    {
        Interlocked.Increment(ref _copies);
        Interlocked.Add(ref _copiedBytes, bytes);
    }

    private sealed class Buffer(HostAccelerator owner, AlignedMemory memory, long lengthBytes) : IDeviceBuffer
    {
        private int _disposed;

        public long LengthBytes => lengthBytes;

        public AlignedMemory? HostView => memory;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _disposed, 1) == 0)
            {
                Interlocked.Add(ref owner._allocated, -lengthBytes);
                owner.Keep(memory);
            }
        }
    }

    private sealed class Stream(HostAccelerator owner) : ICopyStream
    {
        private readonly CopyQueue _queue = new("host-copy");
        private long _freeAt;

        public Task CopyToDeviceAsync(ReadOnlyMemory<byte> source, IDeviceBuffer target, long offsetBytes)
        {
            var memory = BufferRange.Check<Buffer>(target, offsetBytes, source.Length).HostView!;
            return _queue.Add(() => Copy(source, memory.Slice(offsetBytes, source.Length)));
        }

        public Task CopyToHostAsync(IDeviceBuffer source, long offsetBytes, Memory<byte> target)
        {
            var memory = BufferRange.Check<Buffer>(source, offsetBytes, target.Length).HostView!;
            return _queue.Add(() => Copy(memory.Slice(offsetBytes, target.Length), target));
        }

        public Task RecordAsync() => _queue.Add(static () => { });

        public void Dispose() => _queue.Dispose();

        private void Copy(ReadOnlyMemory<byte> source, Memory<byte> target)
        {
            StreamingCopy.Run(source, target);
            owner.Count(source.Length);
            if (owner._options.CopyBytesPerSecond is { } rate)
            {
                Pace(source.Length / rate);
            }
        }

        /// <summary>Holds the stream until the copy would be done at the set rate.</summary>
        private void Pace(double seconds)
        {
            var time = owner._options.Time;
            var now = time.GetTimestamp();
            _freeAt = Math.Max(_freeAt, now) + (long)(seconds * time.TimestampFrequency);
            var left = time.GetElapsedTime(now, _freeAt);
            if (left > TimeSpan.Zero)
            {
                Task.Delay(left, time).GetAwaiter().GetResult();
            }
        }
    }
}
