using System.Numerics;
using System.Text;
using Platform.DataPlane.Nvme.Io;

namespace Platform.UnitTests.Nvme;

public sealed class ChecksumTests
{
    [Fact]
    public void Crc32C_KnownAnswer_IsThatOfTheStandard() => Assert.Equal(0xE3069283u, Checksum.Crc32C(Encoding.ASCII.GetBytes("123456789")));

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(1023)]
    [InlineData(1024)]
    [InlineData(1279)]
    [InlineData(1281)]
    [InlineData(8191)]
    [InlineData(3 * 4096)]
    [InlineData((3 * 4096) + 1)]
    [InlineData(100_003)]
    public void Crc32C_AnyLength_EqualsByteByByte(int length)
    {
        var bytes = Pattern.Bytes(length);

        var expected = ~bytes.Aggregate(~0u, BitOperations.Crc32C);

        Assert.Equal(expected, Checksum.Crc32C(bytes));
        Assert.Equal(expected, ~Checksum.Append(Checksum.Append(~0u, bytes.AsSpan(0, length / 3)), bytes.AsSpan(length / 3)));
    }
}
