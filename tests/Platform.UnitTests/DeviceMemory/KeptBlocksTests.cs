using Platform.DataPlane.DeviceMemory;

namespace Platform.UnitTests.DeviceMemory;

public sealed class KeptBlocksTests
{
    private readonly List<ulong> _freed = [];

    [Fact]
    public void TryTake_GivesTheBlockOfThatLengthThatCameLast_Once()
    {
        using var blocks = new KeptBlocks(100, _freed.Add);
        blocks.Return(1, 10);
        blocks.Return(2, 20);
        blocks.Return(3, 10);

        Assert.True(blocks.TryTake(10, out var last));
        Assert.True(blocks.TryTake(10, out var first));
        Assert.Equal((3ul, 1ul), (last, first));
        Assert.False(blocks.TryTake(10, out _));
        Assert.False(blocks.TryTake(15, out _));
        Assert.Equal(20, blocks.Bytes);
        Assert.Empty(_freed);
    }

    [Fact]
    public void Return_BeyondTheLimit_TheOldestGoBackToTheDriver()
    {
        using var blocks = new KeptBlocks(100, _freed.Add);
        blocks.Return(1, 60);
        blocks.Return(2, 40);
        blocks.Return(3, 50);
        blocks.Return(4, 101);

        Assert.Equal([1, 2, 3, 4], _freed);
        Assert.Equal(0, blocks.Bytes);
    }

    [Fact]
    public void Return_WithALimitOfZero_KeepsNothing()
    {
        using var blocks = new KeptBlocks(0, _freed.Add);
        blocks.Return(1, 1);

        Assert.Equal([1], _freed);
    }

    [Fact]
    public void Dispose_GivesAllBack_AndWhatComesLaterToo()
    {
        var blocks = new KeptBlocks(100, _freed.Add);
        blocks.Return(1, 10);
        Assert.True(blocks.Clear());
        Assert.False(blocks.Clear());
        blocks.Return(2, 10);
        blocks.Dispose();
        blocks.Return(3, 10);

        Assert.Equal([1, 2, 3], _freed);
    }
}
