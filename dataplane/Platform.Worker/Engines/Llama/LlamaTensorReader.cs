using System.Runtime.InteropServices;
using Platform.DataPlane.Weights;
using Platform.Worker.Engines.Kernels;

namespace Platform.Worker.Engines.Llama;

/// <summary>Takes tensors from a source in a form to compute with: bf16 and float where they lie, anything else converted without loss.</summary>
internal sealed class LlamaTensorReader(ITensorSource source) : IDisposable
{
    private readonly Dictionary<string, Matrix> _matrices = new(StringComparer.Ordinal);
    private readonly Dictionary<string, float[]> _vectors = new(StringComparer.Ordinal);

    /// <summary>The types that <see cref="MatrixAsync"/> takes.</summary>
    public static bool Supports(TensorType type) => type is TensorType.BF16 or TensorType.F32 or TensorType.F16 or TensorType.F8E4M3 or TensorType.F8E5M2;

    /// <summary>A matrix; the shape was checked before.</summary>
    public async ValueTask<Matrix> MatrixAsync(string name, CancellationToken cancellationToken)
    {
        var info = source.Tensors[name];
        var bytes = await source.GetAsync(name, cancellationToken);
        var matrix = info.Type switch
        {
            TensorType.BF16 => new Matrix(bytes, true, (int)info.Shape[0], (int)info.Shape[1]),
            TensorType.F32 => new Matrix(bytes, false, (int)info.Shape[0], (int)info.Shape[1]),
            TensorType.F16 => new Matrix(Pinned(ToSingles(info.Type, bytes.Span)), false, (int)info.Shape[0], (int)info.Shape[1]),
            // Every 8-bit float is a bf16 as well.
            _ => new Matrix(Pinned(ToSingles(info.Type, bytes.Span), Bf16.FromSingle), true, (int)info.Shape[0], (int)info.Shape[1]),
        };
        lock (_matrices)
        {
            _matrices.Add(name, matrix);
        }

        return matrix;
    }

    /// <summary>A vector as floats.</summary>
    public async ValueTask<float[]> VectorAsync(string name, CancellationToken cancellationToken)
    {
        var bytes = await source.GetAsync(name, cancellationToken);
        var vector = ToSingles(source.Tensors[name].Type, bytes.Span);
        lock (_vectors)
        {
            _vectors.Add(name, vector);
        }

        return vector;
    }

    /// <summary>The first tensor, of those read so far, with a NaN or an infinity in it.</summary>
    public string? FindBadTensor()
    {
        lock (_vectors)
        {
            foreach (var (name, vector) in _vectors)
            {
                if (!vector.All(float.IsFinite))
                {
                    return name;
                }
            }
        }

        lock (_matrices)
        {
            return _matrices.FirstOrDefault(entry => HasBadElement(entry.Value)).Key;
        }
    }

    public void Dispose()
    {
        foreach (var matrix in _matrices.Values)
        {
            matrix.Dispose();
        }
    }

    private static unsafe bool HasBadElement(Matrix matrix)
    {
        var count = (long)matrix.Rows * matrix.Columns;
        for (var i = 0L; i < count; i++)
        {
            if (!float.IsFinite(matrix.IsBf16 ? Bf16.ToSingle(((ushort*)matrix.Data)[i]) : ((float*)matrix.Data)[i]))
            {
                return true;
            }
        }

        return false;
    }

    private static float[] ToSingles(TensorType type, ReadOnlySpan<byte> bytes)
    {
        var values = new float[bytes.Length / type.WidthBytes()];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = type switch
            {
                TensorType.BF16 => Bf16.ToSingle(MemoryMarshal.Cast<byte, ushort>(bytes)[i]),
                TensorType.F16 => (float)MemoryMarshal.Cast<byte, Half>(bytes)[i],
                TensorType.F32 => MemoryMarshal.Cast<byte, float>(bytes)[i],
                TensorType.F8E4M3 => Float8.FromE4M3(bytes[i]),
                _ => Float8.FromE5M2(bytes[i]),
            };
        }

        return values;
    }

    private static ReadOnlyMemory<byte> Pinned(float[] values)
    {
        var copy = GC.AllocateUninitializedArray<byte>(values.Length * sizeof(float), pinned: true);
        MemoryMarshal.AsBytes(values.AsSpan()).CopyTo(copy);
        return copy;
    }

    private static ReadOnlyMemory<byte> Pinned(float[] values, Func<float, ushort> convert)
    {
        var copy = GC.AllocateUninitializedArray<byte>(values.Length * sizeof(ushort), pinned: true);
        var target = MemoryMarshal.Cast<byte, ushort>(copy.AsSpan());
        for (var i = 0; i < values.Length; i++)
        {
            target[i] = convert(values[i]);
        }

        return copy;
    }
}
