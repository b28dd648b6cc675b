namespace Platform.Worker.Engines.Kernels;

/// <summary>The two 8-bit floats of the OCP 8-bit floating point specification.</summary>
internal static class Float8
{
    /// <summary>1 sign, 4 exponent (bias 7), 3 mantissa bits; no infinities, all ones is NaN.</summary>
    public static float FromE4M3(byte value)
    {
        int exponent = (value >> 3) & 0xf, mantissa = value & 7;
        var magnitude = (exponent, mantissa) switch
        {
            (0xf, 7) => float.NaN,
            (0, _) => mantissa * (1f / 512),
            _ => BitConverter.Int32BitsToSingle(((exponent + 120) << 23) | (mantissa << 20)),
        };
        return value < 0x80 ? magnitude : -magnitude;
    }

    /// <summary>1 sign, 5 exponent, 2 mantissa bits: the upper half of an IEEE half.</summary>
    public static float FromE5M2(byte value) => (float)BitConverter.UInt16BitsToHalf((ushort)(value << 8));
}
