using Platform.DataPlane.ObjectStorage;

namespace Platform.UnitTests.ObjectStorage;

public sealed class S3PartPlanTests
{
    private const long MiB = 1 << 20;
    private const long GiB = 1 << 30;

    [Theory]
    [InlineData(5 * GiB, 16 * MiB, 16 * MiB)]
    [InlineData(160_000 * MiB, 16 * MiB, 16 * MiB)]
    [InlineData(160_001 * MiB, 16 * MiB, 17 * MiB)]
    [InlineData(5 * 1024 * GiB, 16 * MiB, 525 * MiB)]
    public void PartBytes_KnownLength_FitsTenThousandPartsOfOneSize(long length, long configured, long expected)
    {
        Assert.Equal(expected, S3PartPlan.PartBytes(configured, length, 1));
        Assert.Equal(expected, S3PartPlan.PartBytes(configured, length, S3PartPlan.MaxParts));
        Assert.InRange((length + expected - 1) / expected, 1, S3PartPlan.MaxParts);
    }

    [Theory]
    [InlineData(5)]
    [InlineData(16)]
    public void PartBytes_UnknownLength_ReachesTheLargestObjectWithPartsThatS3Takes(int configuredMiB)
    {
        var sizes = Enumerable.Range(1, S3PartPlan.MaxParts).Select(number => S3PartPlan.PartBytes(configuredMiB * MiB, null, number)).ToList();

        Assert.All(sizes, size => Assert.InRange(size, S3PartPlan.MinPartBytes, S3PartPlan.MaxPartBytes));
        Assert.InRange(sizes.Sum(), (configuredMiB == 16 ? 5L : 4L) * 1024 * GiB, long.MaxValue);
        Assert.Equal(configuredMiB * MiB, sizes[0]);
    }

    [Fact]
    public void Crc64Nvme_CheckValue_IsThatOfTheSpecification()
    {
        var running = new ObjectChecksum.Running(ObjectChecksumAlgorithm.Crc64Nvme);
        running.Append("123456789"u8);
        Assert.Equal(0xAE8B14860A799888, running.Current.Value);

        var pieces = new ObjectChecksum.Running(ObjectChecksumAlgorithm.Crc64Nvme);
        var whole = new ObjectChecksum.Running(ObjectChecksumAlgorithm.Crc64Nvme);
        var bytes = Pattern.Bytes(1001);
        whole.Append(bytes);
        pieces.Append(bytes.AsSpan(0, 13));
        pieces.Append(bytes.AsSpan(13));
        Assert.Equal(whole.Current, pieces.Current);
    }
}
