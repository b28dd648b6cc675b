using System.Buffers;

namespace Platform.Worker.Engines.Llama;

/// <summary>A weight matrix in the memory of its source, pinned for as long as the engine lives.</summary>
internal sealed unsafe class Matrix : IDisposable
{
    private MemoryHandle _pin;

    /// <param name="memory">Row-major [rows, columns]; bf16 or float.</param>
    /// <param name="bf16">True for bf16.</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    public Matrix(ReadOnlyMemory<byte> memory, bool bf16, int rows, int columns)
    {
        _pin = memory.Pin();
        IsBf16 = bf16;
        Rows = rows;
        Columns = columns;
    }

    public byte* Data => (byte*)_pin.Pointer;

    public bool IsBf16 { get; }

    public int Rows { get; }

    public int Columns { get; }

    /// <summary>Bytes that one pass over the matrix reads.</summary>
    public long LengthBytes => (long)Rows * Columns * (IsBf16 ? 2 : 4);

    public void Dispose() => _pin.Dispose();
}
