using System.Runtime.CompilerServices;

namespace Platform.DataPlane.Weights;

/// <summary>Tensors that are in memory already: what a trainer just made, what a test wrote, a file read whole.</summary>
/// <remarks>The memory is managed and pinned: a tensor still in use after disposal is a mistake that reads old bytes, never somebody else's.</remarks>
public sealed class InMemoryTensors : ITensorSource
{
    private const int AlignmentBytes = 64;

    private readonly Dictionary<string, TensorInfo> _infos = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ReadOnlyMemory<byte>> _bytes = new(StringComparer.Ordinal);

    private InMemoryTensors()
    {
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, TensorInfo> Tensors => _infos;

    /// <summary>Copies tensors into aligned memory of their own.</summary>
    public static InMemoryTensors From(IReadOnlyList<TensorBytes> tensors)
    {
        var source = new InMemoryTensors();
        var offset = 0L;
        foreach (var tensor in tensors)
        {
            source.Add(new TensorInfo(tensor.Name, tensor.Type, tensor.Shape, offset, tensor.Bytes.Length), tensor.Bytes.Span);
            offset += tensor.Bytes.Length;
        }

        return source;
    }

    /// <summary>Copies the tensors of a whole safetensors file that is in memory.</summary>
    /// <param name="file">Name of the file, for messages.</param>
    /// <param name="bytes">The file.</param>
    /// <exception cref="WeightsException">It is not a well-formed safetensors file.</exception>
    public static InMemoryTensors Parse(string file, ReadOnlySpan<byte> bytes)
    {
        var header = SafetensorsHeader.Parse(file, bytes, bytes.Length);
        var source = new InMemoryTensors();
        foreach (var tensor in header.Tensors.Values)
        {
            source.Add(tensor, bytes.Slice((int)tensor.OffsetBytes, (int)tensor.LengthBytes));
        }

        return source;
    }

    /// <inheritdoc/>
    public ValueTask<ReadOnlyMemory<byte>> GetAsync(string name, CancellationToken cancellationToken = default) =>
        _bytes.TryGetValue(name, out var bytes)
            ? ValueTask.FromResult(bytes)
            : ValueTask.FromException<ReadOnlyMemory<byte>>(new WeightsException($"There is no tensor '{name}' among the {_infos.Count} tensors in memory."));

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _bytes.Clear();
        return ValueTask.CompletedTask;
    }

    private void Add(TensorInfo info, ReadOnlySpan<byte> bytes)
    {
        if (!_infos.TryAdd(info.Name, info))
        {
            throw new WeightsException($"Tensor '{info.Name}' occurs twice.");
        }

        var copy = AllocateAligned(bytes.Length);
        bytes.CopyTo(copy.Span);
        _bytes.Add(info.Name, copy);
    }

    private static unsafe Memory<byte> AllocateAligned(int lengthBytes)
    {
        var array = GC.AllocateUninitializedArray<byte>(lengthBytes + AlignmentBytes, pinned: true);
        var misaligned = (int)((nuint)Unsafe.AsPointer(ref array[0]) & (AlignmentBytes - 1));
        return array.AsMemory((AlignmentBytes - misaligned) & (AlignmentBytes - 1), lengthBytes);
    }
}
