using System.Runtime.InteropServices;

namespace Platform.DataPlane.ObjectStorage;

/// <summary>CRC-64/NVME (NVM Express NVM Command Set Specification, section 5.2.1.3.4): reflected, all ones before and after. Eight bytes a step.</summary>
internal static class Crc64Nvme
{
    private const ulong ReflectedPolynomial = 0x9A6C9329AC4BC9B5;
    private static readonly ulong[] Tables = MakeTables();

    /// <summary>Goes on with a raw register, which starts as all ones and is inverted at the end.</summary>
    public static ulong Append(ulong register, ReadOnlySpan<byte> bytes)
    {
        var tables = Tables.AsSpan();
        foreach (var word in MemoryMarshal.Cast<byte, ulong>(bytes))
        {
            var mixed = register ^ word;
            register = 0;
            for (var i = 0; i < 8; i++)
            {
                register ^= tables[((7 - i) * 256) + (int)((mixed >> (8 * i)) & 0xFF)];
            }
        }

        foreach (var value in bytes[(bytes.Length & ~7)..])
        {
            register = (register >> 8) ^ tables[(int)((register ^ value) & 0xFF)];
        }

        return register;
    }

    /// <summary>Table k tells what a byte becomes after k more zero bytes.</summary>
    private static ulong[] MakeTables()
    {
        var tables = new ulong[8 * 256];
        for (var value = 0; value < 256; value++)
        {
            var register = (ulong)value;
            for (var bit = 0; bit < 8; bit++)
            {
                register = (register & 1) != 0 ? (register >> 1) ^ ReflectedPolynomial : register >> 1;
            }

            tables[value] = register;
        }

        for (var i = 256; i < tables.Length; i++)
        {
            tables[i] = (tables[i - 256] >> 8) ^ tables[(int)(tables[i - 256] & 0xFF)];
        }

        return tables;
    }
}
