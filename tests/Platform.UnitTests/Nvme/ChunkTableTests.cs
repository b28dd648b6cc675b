using Platform.DataPlane.Nvme.Blobs;
using Platform.DataPlane.Tiering;

namespace Platform.UnitTests.Nvme;

public sealed class ChunkTableTests
{
    [Fact]
    public void Verify_AnotherReaderFoundItDamagedMeanwhile_ItStaysAbsentUntilItLands()
    {
        // Two read a chunk at once, and the device gives one of them wrong bytes.
        var chunks = new ChunkTable(new BlobRecord(1, "k", "k", "v", 8192, 4096, TierClass.Weights, Durability.Recoverable, [1, 2]));
        chunks.Drop(1);

        chunks.Verify(1);

        Assert.True(chunks.IsAbsent(1));
        Assert.False(chunks.IsWhole);
        chunks.Land(1, 2);
        Assert.True(chunks.IsWhole);
        chunks.Verify(1);
        Assert.True(chunks.IsVerified(1));
    }
}
