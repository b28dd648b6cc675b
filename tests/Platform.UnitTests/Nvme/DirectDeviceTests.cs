using FASTER.core;
using Platform.DataPlane.HostMemory;
using Platform.DataPlane.Nvme.Io;

namespace Platform.UnitTests.Nvme;

/// <summary>The device in its three ways: Linux AIO, threads (where a fault point may hold a request up), and through the page cache.</summary>
public sealed class DirectDeviceTests : IDisposable
{
    private const int Block = 8192;
    private const int SegmentBytes = 64 * 1024;
    private readonly TempFolder _folder = new();

    public enum Way
    {
        Ring,
        Threads,
        Buffered,
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(Way.Ring)]
    [InlineData(Way.Threads)]
    [InlineData(Way.Buffered)]
    public async Task WriteAndRead_ManyAtOnceAcrossSegments_GiveEachItsOwnBytes(Way way)
    {
        using var device = Open(way);
        using var memory = new AlignedMemory(64 * Block);
        for (var i = 0; i < 64; i++)
        {
            Pattern.Bytes(Block, i).CopyTo(memory.Slice(i * Block, Block));
        }

        var written = await Task.WhenAll(Enumerable.Range(0, 64).Select(i => WriteAsync(device, memory, i)));
        device.Sync();
        memory.Slice(0, 64 * Block).Span.Clear();
        var read = await Task.WhenAll(Enumerable.Range(0, 64).Select(i => ReadAsync(device, memory, i)));

        Assert.All(written.Concat(read), answer => Assert.Equal((0u, (uint)Block), answer));
        for (var i = 0; i < 64; i++)
        {
            Assert.Equal(Pattern.Bytes(Block, i), memory.Slice(i * Block, Block).ToArray());
        }

        Assert.Equal(0, device.Figures.QueueDepth);
        Assert.Equal(64L * Block, device.Figures.BytesRead);
        Assert.Equal(64L * Block, device.Figures.BytesWritten);
        Assert.Equal(8, Directory.GetFiles(_folder.Path, "seg.*").Length);
    }

    [Theory]
    [InlineData(Way.Ring)]
    [InlineData(Way.Threads)]
    public async Task Read_BeyondTheEndOfTheFile_GivesZeros(Way way)
    {
        using var device = Open(way);
        using var memory = new AlignedMemory(2 * Block);
        memory.Slice(0, 2 * Block).Span.Fill(7);
        await WriteAsync(device, memory, 0);

        var answer = await ReadAsync(device, memory, 0, 2 * Block);

        Assert.Equal((0u, 2u * Block), answer);
        Assert.False(memory.Slice(0, Block).Span.ContainsAnyExcept((byte)7));
        Assert.False(memory.Slice(Block, Block).Span.ContainsAnyExcept((byte)0));
    }

    [Theory]
    [InlineData(28)]
    [InlineData(5)]
    public async Task Write_DeviceRefuses_TheErrorNumberReachesTheCaller(int error)
    {
        using var device = new DirectDevice(new DirectDeviceOptions
        {
            Folder = _folder.Path,
            Prefix = "seg",
            FaultPoint = point =>
            {
                if (point == FaultArea.Log.Write)
                {
                    throw new IOException("refused", error);
                }
            },
        });
        device.Initialize(SegmentBytes);
        using var memory = new AlignedMemory(Block);

        Assert.Equal(((uint)error, 0u), await WriteAsync(device, memory, 0));
        Assert.Equal(error, device.Failure!.HResult);
    }

    [Fact]
    public void DirectAlignment_OfAFile_IsWhereItsDirectReadsBegin()
    {
        const int PageBytes = 4096;
        var path = _folder["probed"];
        File.WriteAllBytes(path, Pattern.Bytes(4 * PageBytes));
        var alignment = Posix.DirectAlignment(path);
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite);
        Assert.SkipUnless(alignment <= PageBytes && Posix.TrySetDirect(file), $"no direct I/O with at most {PageBytes} bytes of alignment here: the probe says {alignment}");
        using var memory = new AlignedMemory(PageBytes);

        Assert.True(alignment >= 512 && long.IsPow2(alignment), $"the probe says {alignment}");
        Assert.Equal(PageBytes, RandomAccess.Read(file, memory.Slice(0, PageBytes).Span, alignment));
        Assert.Equal(Pattern.Bytes(4 * PageBytes)[(int)alignment..][..PageBytes], memory.Slice(0, PageBytes).ToArray());
    }

    [Fact]
    public async Task Read_SegmentThatIsNotThere_IsAnErrorAndNoFile()
    {
        using var device = Open(Way.Ring);
        using var memory = new AlignedMemory(Block);

        Assert.NotEqual(0u, (await ReadAsync(device, memory, 0)).Error);
        Assert.Empty(Directory.GetFiles(_folder.Path, "seg.*"));
        Assert.Null(device.Failure);
    }

    [Fact]
    public async Task RemoveBefore_DeletesThoseSegmentsOnly()
    {
        using var device = Open(Way.Ring);
        using var memory = new AlignedMemory(64 * Block);
        memory.Slice(0, 64 * Block).Span.Clear();
        await Task.WhenAll(Enumerable.Range(0, 32).Select(i => WriteAsync(device, memory, i)));

        device.RemoveBefore(3);

        Assert.Equal(["seg.3"], Directory.GetFiles(_folder.Path, "seg.*").Select(Path.GetFileName));
        Assert.Equal((0u, (uint)Block), await ReadAsync(device, memory, 31));
    }

    [Fact]
    public async Task Write_Preallocating_ReservesTheWholeSegment()
    {
        using var device = Open(Way.Ring, preallocates: true);
        using var memory = new AlignedMemory(Block);
        memory.Slice(0, Block).Span.Clear();

        await WriteAsync(device, memory, 0);

        Assert.Equal(SegmentBytes, new FileInfo(_folder["seg.0"]).Length);
        Assert.Equal(SegmentBytes, device.SegmentFileBytes);
    }

    [Theory]
    [InlineData(Way.Threads)]
    [InlineData(Way.Buffered)]
    public async Task ReadAndWrite_DeviceIsClosed_FailAndLeaveNothingBehind(Way way)
    {
        const int OfASegmentThatIsNotThere = SegmentBytes / Block;
        var device = Open(way);
        using var memory = new AlignedMemory((OfASegmentThatIsNotThere + 1) * Block);
        await WriteAsync(device, memory, 0);
        using var file = device.Open(_folder["bulk"], create: true);
        device.Dispose();

        await Assert.ThrowsAsync<ObjectDisposedException>(() => file.WriteAsync(memory.Slice(0, Block), 0).AsTask());
        await Assert.ThrowsAsync<ObjectDisposedException>(() => file.ReadAsync(memory.Slice(0, Block), 0).AsTask());
        Assert.NotEqual(0u, (await ReadAsync(device, memory, 0)).Error);
        Assert.NotEqual(0u, (await ReadAsync(device, memory, OfASegmentThatIsNotThere)).Error);
        Assert.NotEqual(0u, (await WriteAsync(device, memory, 0)).Error);
        Assert.Equal(0, device.Figures.QueueDepth);
    }

    [Fact]
    public async Task Read_StopsShortWhileTheDeviceIsClosed_EndsAllTheSame()
    {
        const int Length = 4096 + 512;
        var device = Open(Way.Ring);
        using var memory = new AlignedMemory(256 * Block);
        await File.WriteAllBytesAsync(_folder["short"], Pattern.Bytes(Length), TestContext.Current.CancellationToken);
        using var file = device.Open(_folder["short"], create: false);

        // The kernel stops at the end of the file, which is a whole sector here: each request asks once more, most of them after the device was closed.
        var reads = Enumerable.Range(0, 256).Select(i => file.ReadAsync(memory.Slice(i * Block, Block), 0).AsTask()).ToList();
        device.Dispose();

        Assert.All(await Task.WhenAll(reads), read => Assert.Equal(Length, read));
        Assert.Equal(Pattern.Bytes(Length), memory.Slice(255 * Block, Length).ToArray());
        Assert.Equal(0, device.Figures.QueueDepth);
    }

    private DirectDevice Open(Way way, bool preallocates = false)
    {
        var device = new DirectDevice(new DirectDeviceOptions
        {
            Folder = _folder.Path,
            Prefix = "seg",
            Area = FaultArea.Blocks,
            Preallocates = preallocates,
            IsBuffered = way == Way.Buffered,
            FaultPoint = way == Way.Threads ? _ => { } : null,
        });
        device.Initialize(SegmentBytes);
        return device;
    }

    private static Task<(uint Error, uint Bytes)> WriteAsync(DirectDevice device, AlignedMemory memory, int block)
    {
        var (answer, callback) = Answer();
        device.WriteAsync(AddressOf(memory, block), (ulong)(block * Block), Block, callback, null!);
        return answer;
    }

    private static Task<(uint Error, uint Bytes)> ReadAsync(DirectDevice device, AlignedMemory memory, int block, int bytes = Block)
    {
        var (answer, callback) = Answer();
        device.ReadAsync((ulong)(block * Block), AddressOf(memory, block), (uint)bytes, callback, null!);
        return answer;
    }

    private static (Task<(uint Error, uint Bytes)> Answer, DeviceIOCompletionCallback Callback) Answer()
    {
        var source = new TaskCompletionSource<(uint, uint)>(TaskCreationOptions.RunContinuationsAsynchronously);
        return (source.Task, (error, bytes, _) => source.SetResult((error, bytes)));
    }

    private static unsafe nint AddressOf(AlignedMemory memory, int block)
    {
        using var pin = memory.Slice(block * Block, Block).Pin();
        return (nint)pin.Pointer;
    }
}
