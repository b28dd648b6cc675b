using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Platform.DataPlane.Nvme.Io;

/// <summary>CRC32C of long inputs by carry-less multiplication (Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel 2009).</summary>
/// <remarks>
/// 256 bytes are folded onto the next 256 at a time: multiplied by what x^2048 is modulo the polynomial, they have the same remainder there. What is left at the end is
/// 256 bytes, which the processor's CRC instruction takes.
/// </remarks>
internal static class Folding
{
    /// <summary>Shorter inputs are not worth it.</summary>
    public const int LeastBytes = 1024;

    private const int StrideBytes = 256;

    // Bit-reflected, so multiplying by x is a shift to the right; the product of two reflected numbers is one bit short, hence the shift to the left.
    private static readonly Vector512<ulong> FoldBy = Vector512.Create(Vector256.Create(Vector128.Create(Power((8 * StrideBytes) + 32), Power((8 * StrideBytes) - 32))));

    public static bool IsSupported => Pclmulqdq.V512.IsSupported && BitConverter.IsLittleEndian;

    /// <summary>Goes on with a raw register, as <see cref="Checksum.Append"/>.</summary>
    public static uint Append(uint register, ReadOnlySpan<byte> bytes)
    {
        ref var start = ref MemoryMarshal.GetReference(bytes);
        var fold = FoldBy;
        var a = Load(ref start, 0) ^ Vector512.CreateScalar((ulong)register);
        var b = Load(ref start, 64);
        var c = Load(ref start, 128);
        var d = Load(ref start, 192);
        nuint at = StrideBytes;
        var last = (nuint)(bytes.Length - StrideBytes);
        for (; at <= last; at += StrideBytes)
        {
            a = Fold(a, fold) ^ Load(ref start, at);
            b = Fold(b, fold) ^ Load(ref start, at + 64);
            c = Fold(c, fold) ^ Load(ref start, at + 128);
            d = Fold(d, fold) ^ Load(ref start, at + 192);
        }

        Span<byte> left = stackalloc byte[StrideBytes];
        a.AsByte().CopyTo(left);
        b.AsByte().CopyTo(left[64..]);
        c.AsByte().CopyTo(left[128..]);
        d.AsByte().CopyTo(left[192..]);
        return Checksum.AppendShort(Checksum.AppendShort(0, left), bytes[(int)at..]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<ulong> Load(ref byte start, nuint at) => Vector512.LoadUnsafe(ref start, at).AsUInt64();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<ulong> Fold(Vector512<ulong> value, Vector512<ulong> by) =>
        Pclmulqdq.V512.CarrylessMultiply(value, by, 0x00) ^ Pclmulqdq.V512.CarrylessMultiply(value, by, 0x11);

    /// <summary>x^n modulo the polynomial.</summary>
    private static ulong Power(int n)
    {
        const uint Polynomial = 0x82F63B78;
        var power = 0x8000_0000u;
        for (; n > 0; n--)
        {
            power = (power >> 1) ^ ((power & 1) * Polynomial);
        }

        return (ulong)power << 1;
    }
}
