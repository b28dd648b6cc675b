using System.Numerics;
using System.Runtime.InteropServices;

namespace Platform.DataPlane.Nvme;

/// <summary>CRC32C (Castagnoli, as in RFC 3720 section 12.1), by the processor's own instruction.</summary>
internal static class Checksum
{
    /// <summary>Checksum of <paramref name="bytes"/>.</summary>
    public static uint Crc32C(ReadOnlySpan<byte> bytes) => ~Append(~0u, bytes);

    /// <summary>Goes on with a raw register, which starts as <c>~0u</c> and is inverted at the end.</summary>
    public static uint Append(uint register, ReadOnlySpan<byte> bytes)
    {
        foreach (var word in MemoryMarshal.Cast<byte, ulong>(bytes))
        {
            register = BitOperations.Crc32C(register, word);
        }

        foreach (var value in bytes[(bytes.Length & ~7)..])
        {
            register = BitOperations.Crc32C(register, value);
        }

        return register;
    }
}
