using Platform.DataPlane.DeviceMemory;
using Platform.DataPlane.HostMemory;

namespace Platform.UnitTests.DeviceMemory;

/// <summary>What every accelerator must do. A class per accelerator derives from it and opens it, or skips with the reason why it cannot.</summary>
public abstract class AcceleratorConformance
{
    private const int KiB = 1024;

    /// <summary>Opens the accelerator; calls <see cref="Assert.Skip"/> where the machine has none.</summary>
    internal abstract IAccelerator Open();

    [Fact]
    public void Info_NamesDeviceAndDriver()
    {
        using var accelerator = Open();

        Assert.NotEmpty(accelerator.Info.Name);
        Assert.NotEmpty(accelerator.Info.Driver);
        Assert.True(accelerator.Info.CapacityBytes >= accelerator.Info.MaxBufferBytes && accelerator.Info.MaxBufferBytes > 0, accelerator.Info.ToString());
        Assert.Contains(accelerator.Info.Name, accelerator.Info.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData((64 * KiB) - 3)]
    [InlineData((3 * KiB * KiB) + 17)]
    public async Task Copy_ThereAndBack_ReturnsTheSameBytes(int length)
    {
        using var accelerator = Open();
        using var stream = accelerator.OpenStream();
        using var buffer = accelerator.TryAllocate(length)!;
        var there = Pattern.Bytes(length);
        var back = new byte[length];

        await stream.CopyToDeviceAsync(there, buffer, 0);
        await stream.CopyToHostAsync(buffer, 0, back);

        Assert.Equal(length, buffer.LengthBytes);
        Assert.Equal(there, back);
    }

    [Fact]
    public async Task Copy_FromPinnedMemoryInPieces_LandsWhereItBelongs()
    {
        const int Length = (1024 * KiB) + 5;
        using var accelerator = Open();
        using var pinned = accelerator.AllocatePinned(Length);
        using var stream = accelerator.OpenStream();
        using var buffer = accelerator.TryAllocate(Length)!;
        var expected = Pattern.Bytes(Length);
        expected.CopyTo(pinned.Slice(0, Length));
        var back = new byte[Length];

        List<Task> copies = [];
        for (var offset = 0; offset < Length; offset += 100_003)
        {
            copies.Add(stream.CopyToDeviceAsync(pinned.Slice(offset, Math.Min(100_003, Length - offset)), buffer, offset));
        }

        await stream.RecordAsync();
        Assert.All(copies, copy => Assert.True(copy.IsCompletedSuccessfully));
        await stream.CopyToHostAsync(buffer, 0, back);
        Assert.Equal(expected, back);
    }

    [Fact]
    public async Task Copies_OfOneStream_RunInOrder()
    {
        using var accelerator = Open();
        using var stream = accelerator.OpenStream();
        using var buffer = accelerator.TryAllocate(4 * KiB)!;
        var last = new byte[4 * KiB];

        for (var i = 0; i < 50; i++)
        {
            _ = stream.CopyToDeviceAsync(Enumerable.Repeat((byte)i, 4 * KiB).ToArray(), buffer, 0);
        }

        await stream.CopyToHostAsync(buffer, 0, last);
        Assert.All(last, value => Assert.Equal(49, value));
    }

    [Fact]
    public async Task Copies_OfManyStreams_DoNotDisturbEachOther()
    {
        const int Length = 300 * KiB;
        using var accelerator = Open();

        await Task.WhenAll(Enumerable.Range(0, 4).Select(async number =>
        {
            using var stream = accelerator.OpenStream();
            using var buffer = accelerator.TryAllocate(Length)!;
            var there = Enumerable.Repeat((byte)number, Length).ToArray();
            var back = new byte[Length];
            await stream.CopyToDeviceAsync(there, buffer, 0);
            await stream.CopyToHostAsync(buffer, 0, back);
            Assert.Equal(there, back);
        }));
    }

    [Fact]
    public async Task Register_MemoryThatExists_CopiesFromItBeforeAndAfter()
    {
        using var accelerator = Open();
        using var memory = new AlignedMemory(64 * KiB);
        using var stream = accelerator.OpenStream();
        using var buffer = accelerator.TryAllocate(64 * KiB)!;
        var bytes = memory.Slice(0, 64 * KiB);
        Pattern.Bytes(64 * KiB).CopyTo(bytes);
        var back = new byte[64 * KiB];

        using (var registration = accelerator.Register(memory))
        {
            Assert.Equal(accelerator.Info.Kind == AcceleratorKind.Cuda, registration.IsPinned);
            await stream.CopyToDeviceAsync(bytes, buffer, 0);
        }

        await stream.CopyToHostAsync(buffer, 0, back);
        Assert.Equal(bytes.ToArray(), back);
    }

    [Fact]
    public void AllocatePinned_BeginsAtAPage()
    {
        using var accelerator = Open();
        using var pinned = accelerator.AllocatePinned(10_000);

        Assert.Equal(0, pinned.Start % AlignedMemory.AlignmentBytes);
        Assert.True(pinned.LengthBytes >= 10_000);
        pinned.Slice(0, 10_000).Span.Fill(1);
    }

    [Fact]
    public void TryAllocate_MoreThanThereIs_IsNullAndTakesNothing()
    {
        using var accelerator = Open();

        Assert.Null(accelerator.TryAllocate(1L << 50));
        Assert.Equal(0, accelerator.AllocatedBytes);
        using var buffer = accelerator.TryAllocate(KiB);
        Assert.NotNull(buffer);
        Assert.Equal(KiB, accelerator.AllocatedBytes);
    }

    [Fact]
    public void Dispose_Buffer_GivesItsBytesBackOnce()
    {
        using var accelerator = Open();
        var one = accelerator.TryAllocate(4 * KiB)!;
        using var other = accelerator.TryAllocate(KiB)!;

        one.Dispose();
        one.Dispose();

        Assert.Equal(KiB, accelerator.AllocatedBytes);
    }

    [Fact]
    public void Copy_OutsideOfTheBuffer_IsRefusedBeforeAnythingMoves()
    {
        using var accelerator = Open();
        using var stream = accelerator.OpenStream();
        using var buffer = accelerator.TryAllocate(100)!;

        // At once, not by the task: nothing was queued.
        Action[] copies =
        [
            () => _ = stream.CopyToDeviceAsync(new byte[101], buffer, 0),
            () => _ = stream.CopyToHostAsync(buffer, 100, new byte[1]),
            () => _ = stream.CopyToDeviceAsync(new byte[1], buffer, -1),
        ];
        Assert.All(copies, static copy => Assert.Throws<ArgumentOutOfRangeException>(copy));
    }

    [Fact]
    public async Task Copy_AfterTheStreamIsClosed_IsRefused()
    {
        using var accelerator = Open();
        using var buffer = accelerator.TryAllocate(100)!;
        var stream = accelerator.OpenStream();
        var copy = stream.CopyToDeviceAsync(new byte[100], buffer, 0);

        stream.Dispose();

        await copy;
        await Assert.ThrowsAnyAsync<Exception>(() => stream.RecordAsync());
    }

    [Fact]
    public void Health_TellsWhatTheDriverKnows()
    {
        using var accelerator = Open();

        var health = accelerator.ReadHealth();

        Assert.True(health.FreeBytes is null or > 0);
        Assert.Null(health.LastXid);
    }
}
