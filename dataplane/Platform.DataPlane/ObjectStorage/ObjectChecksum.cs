using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Platform.DataPlane.Nvme.Io;

namespace Platform.DataPlane.ObjectStorage;

/// <summary>A checksum over all bytes of an object, as S3 servers keep it.</summary>
/// <param name="Algorithm">Which.</param>
/// <param name="Value">Its value.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct ObjectChecksum(ObjectChecksumAlgorithm Algorithm, ulong Value)
{
    /// <summary>Reads what a server says in its headers. Checksums of parts (<c>...-3</c>) are none of the object, and of those algorithms that are not here nothing is known.</summary>
    /// <returns>Null if there is none that can be checked.</returns>
    internal static ObjectChecksum? Of(string? crc64Nvme, string? crc32C) =>
        Parse(crc64Nvme, 8) is { } wide ? new ObjectChecksum(ObjectChecksumAlgorithm.Crc64Nvme, wide)
        : Parse(crc32C, 4) is { } narrow ? new ObjectChecksum(ObjectChecksumAlgorithm.Crc32C, narrow)
        : null;

    /// <summary>As S3 writes it: base64 of the big-endian value.</summary>
    internal static string HeaderOfCrc32C(uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return Convert.ToBase64String(bytes);
    }

    /// <inheritdoc/>
    public override string ToString() => Algorithm == ObjectChecksumAlgorithm.Crc64Nvme ? $"CRC-64/NVME {Value:x16}" : $"CRC32C {Value:x8}";

    private static ulong? Parse(string? header, int bytes)
    {
        Span<byte> value = stackalloc byte[8];
        return header is not null && Convert.TryFromBase64String(header, value, out var count) && count == bytes
            ? bytes == 8 ? BinaryPrimitives.ReadUInt64BigEndian(value) : BinaryPrimitives.ReadUInt32BigEndian(value)
            : null;
    }

    /// <summary>Computes such a checksum over bytes that come one after the other.</summary>
    internal sealed class Running(ObjectChecksumAlgorithm algorithm)
    {
        private ulong _register = algorithm == ObjectChecksumAlgorithm.Crc64Nvme ? ulong.MaxValue : uint.MaxValue;

        public ObjectChecksum Current => new(algorithm, algorithm == ObjectChecksumAlgorithm.Crc64Nvme ? ~_register : ~(uint)_register);

        public void Append(ReadOnlySpan<byte> bytes) =>
            _register = algorithm == ObjectChecksumAlgorithm.Crc64Nvme ? Crc64Nvme.Append(_register, bytes) : Checksum.Append((uint)_register, bytes);
    }
}

/// <summary>Checksums of S3 that are checked here. The others are ignored.</summary>
public enum ObjectChecksumAlgorithm
{
    /// <summary><c>x-amz-checksum-crc32c</c>.</summary>
    Crc32C,

    /// <summary><c>x-amz-checksum-crc64nvme</c>, which AWS keeps for every object that was written without another.</summary>
    Crc64Nvme,
}
