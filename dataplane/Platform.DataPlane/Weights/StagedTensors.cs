using Platform.DataPlane.HostMemory;

namespace Platform.DataPlane.Weights;

/// <summary>The tensors of a model that is being staged: each can be had as soon as its last chunk has landed.</summary>
internal sealed class StagedTensors : ITensorSource
{
    private readonly string _model;
    private readonly IReadOnlyList<OpenedFile> _files;
    private readonly Dictionary<string, Slot> _slots = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TensorInfo> _infos = new(StringComparer.Ordinal);

    /// <summary>By file and chunk: the tensors that have bytes in it; null for none.</summary>
    private readonly Dictionary<StagedFile, List<Slot>?[]> _byChunk = [];
    private int _ready;

    public StagedTensors(string model, IReadOnlyList<OpenedFile> files)
    {
        _model = model;
        _files = files;
        foreach (var opened in _files)
        {
            var file = opened.File;
            _byChunk.Add(file, new List<Slot>?[file.ChunkCount]);
            foreach (var tensor in opened.Header.Tensors.Values)
            {
                if (!_infos.TryAdd(tensor.Name, tensor))
                {
                    throw new WeightsException($"Model '{model}': tensor '{tensor.Name}' is in '{file.Source.Name}' and in '{_slots[tensor.Name].File.Source.Name}'. Publish it with each tensor in one file.");
                }

                _slots.Add(tensor.Name, new Slot(file, tensor));
            }
        }

        foreach (var slot in _slots.Values)
        {
            for (var chunk = slot.FirstChunk; chunk < slot.EndChunk; chunk++)
            {
                (_byChunk[slot.File][chunk] ??= []).Add(slot);
            }

            if (slot.Info.LengthBytes == 0)
            {
                slot.Complete();
                _ready++;
            }
        }
    }

    public IReadOnlyDictionary<string, TensorInfo> Tensors => _infos;

    /// <summary>Tensors in memory.</summary>
    public int ReadyTensors => Volatile.Read(ref _ready);

    /// <summary>Every chunk with a tensor in it, in the order in which the model needs them; then those of header alone.</summary>
    public List<PlannedChunk> Plan()
    {
        var plan = new List<PlannedChunk>();
        var seen = _files.ToDictionary(static file => file.File, static file => new bool[file.File.ChunkCount]);
        var ordered = new List<Slot>(_slots.Values);
        ordered.Sort(static (a, b) => a.Order != b.Order ? a.Order.CompareTo(b.Order) : a.Info.OffsetBytes.CompareTo(b.Info.OffsetBytes));
        foreach (var slot in ordered)
        {
            Add(slot.File, slot.FirstChunk, slot.EndChunk);
        }

        foreach (var file in _files)
        {
            Add(file.File, 0, file.File.EndChunkOf(0, file.Header.DataOffsetBytes));
        }

        return plan;

        void Add(StagedFile file, int first, int end)
        {
            for (var chunk = first; chunk < end; chunk++)
            {
                if (!seen[file][chunk])
                {
                    seen[file][chunk] = true;
                    plan.Add(new PlannedChunk(file, chunk));
                }
            }
        }
    }

    /// <summary>Notes that a chunk is in memory, which may make tensors ready.</summary>
    public void Land(PlannedChunk chunk)
    {
        if (_byChunk[chunk.File][chunk.Chunk] is not { } slots)
        {
            return;
        }

        foreach (var slot in slots)
        {
            if (slot.Land())
            {
                Interlocked.Increment(ref _ready);
            }
        }
    }

    /// <summary>Fails every tensor that is not ready.</summary>
    public void Fail(Exception cause)
    {
        foreach (var slot in _slots.Values)
        {
            slot.Fail(_model, cause);
        }
    }

    public ValueTask<ReadOnlyMemory<byte>> GetAsync(string name, CancellationToken cancellationToken = default)
    {
        if (!_slots.TryGetValue(name, out var slot))
        {
            return ValueTask.FromException<ReadOnlyMemory<byte>>(new WeightsException($"Model '{_model}' has no tensor '{name}'; it has {_infos.Count} others."));
        }

        return slot.Landed.IsCompletedSuccessfully ? ValueTask.FromResult(slot.Bytes()) : new(BytesAsync(slot, cancellationToken));
    }

    /// <summary>Waits until a tensor is in device memory.</summary>
    public async Task<DeviceTensor> OnDeviceAsync(string name, CancellationToken cancellationToken)
    {
        if (!_slots.TryGetValue(name, out var slot))
        {
            throw new WeightsException($"Model '{_model}' has no tensor '{name}'; it has {_infos.Count} others.");
        }

        await slot.Landed.WaitAsync(cancellationToken);
        return slot.File.Device is { } device
            ? new DeviceTensor(slot.Info, device.Buffer, slot.Info.OffsetBytes - device.OriginBytes)
            : throw new WeightsException($"Model '{_model}' is staged into host memory; tensor '{name}' is on no device.");
    }

    /// <summary>Frees the copies of tensors that lay at odd offsets; the rest belongs to the files.</summary>
    public ValueTask DisposeAsync()
    {
        Fail(new ObjectDisposedException(nameof(StagedTensors)));
        foreach (var slot in _slots.Values)
        {
            slot.Dispose();
        }

        return ValueTask.CompletedTask;
    }

    private static async Task<ReadOnlyMemory<byte>> BytesAsync(Slot slot, CancellationToken cancellationToken)
    {
        await slot.Landed.WaitAsync(cancellationToken);
        return slot.Bytes();
    }

    /// <summary>One tensor: how much of it is still missing, and its bytes.</summary>
    private sealed class Slot(StagedFile file, TensorInfo info) : IDisposable
    {
        private readonly TaskCompletionSource _landed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly Lock _gate = new();
        private AlignedMemory? _copy;
        private bool _disposed;
        private int _missing = file.EndChunkOf(info.OffsetBytes, info.LengthBytes) - file.ChunkOf(info.OffsetBytes);

        public StagedFile File => file;

        public TensorInfo Info => info;

        public Task Landed => _landed.Task;

        /// <summary>The first chunk with a byte of it.</summary>
        public int FirstChunk => file.ChunkOf(info.OffsetBytes);

        /// <summary>The chunk behind the last one.</summary>
        public int EndChunk => file.EndChunkOf(info.OffsetBytes, info.LengthBytes);

        /// <summary>When the model needs it.</summary>
        public int Order { get; } = ExecutionOrder.Of(info.Name);

        public bool Land()
        {
            if (Interlocked.Decrement(ref _missing) > 0)
            {
                return false;
            }

            _landed.TrySetResult();
            return true;
        }

        public void Complete() => _landed.TrySetResult();

        /// <summary>The tensor's bytes, aligned as kernels want them.</summary>
        public ReadOnlyMemory<byte> Bytes()
        {
            if (info.LengthBytes == 0)
            {
                return default;
            }

            var bytes = file.Slice(info.OffsetBytes, info.LengthBytes);
            if (IsAligned(bytes))
            {
                return bytes;
            }

            // The format aligns to 8 only. Our own writer's tensors never come here, nor do those on a device whose offsets in the data section are multiples of 64, as those of large models are.
            lock (_gate)
            {
                ObjectDisposedException.ThrowIf(_disposed, typeof(StagedTensors));
                if (_copy is null)
                {
                    _copy = new AlignedMemory(info.LengthBytes);
                    bytes.CopyTo(_copy.Slice(0, bytes.Length));
                }

                return _copy.Slice(0, bytes.Length);
            }
        }

        public void Fail(string model, Exception cause)
        {
            if (!_landed.Task.IsCompleted)
            {
                _landed.TrySetException(new WeightsException($"Tensor '{info.Name}' of model '{model}' could not be brought in: {cause.Message}", cause));
                _ = _landed.Task.Exception;
            }
        }

        public void Dispose()
        {
            lock (_gate)
            {
                _disposed = true;
                _copy?.Dispose();
            }
        }

        private static unsafe bool IsAligned(ReadOnlyMemory<byte> bytes)
        {
            fixed (byte* start = bytes.Span)
            {
                return (nint)start % DevicePlace.TensorAlignmentBytes == 0;
            }
        }
    }
}
