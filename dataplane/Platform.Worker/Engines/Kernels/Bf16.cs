using System.Runtime.CompilerServices;

namespace Platform.Worker.Engines.Kernels;

/// <summary>bfloat16: sign, 8 exponent bits, 7 mantissa bits; the upper half of a float.</summary>
internal static class Bf16
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ToSingle(ushort value) => BitConverter.Int32BitsToSingle(value << 16);

    /// <summary>Nearest value, ties to even; a NaN stays one.</summary>
    public static ushort FromSingle(float value)
    {
        if (float.IsNaN(value))
        {
            return 0x7fc0;
        }

        var bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
    }
}
