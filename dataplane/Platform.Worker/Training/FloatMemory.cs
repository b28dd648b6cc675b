using System.Runtime.InteropServices;

namespace Platform.Worker.Training;

/// <summary>Floats that do not move, for loops over pointers. Starts as zeros.</summary>
internal sealed unsafe class FloatMemory(int length)
{
    private readonly float[] _values = GC.AllocateArray<float>(length, pinned: true);

    public int Length => _values.Length;

    public float* Pointer => (float*)Marshal.UnsafeAddrOfPinnedArrayElement(_values, 0);

    public Span<float> Span => _values;

    public void Clear() => Array.Clear(_values);
}
