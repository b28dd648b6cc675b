using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane;
using Platform.DataPlane.HostMemory;
using Platform.DataPlane.Nvme;
using Platform.UnitTests.ObjectStorage;

namespace Platform.UnitTests.Nvme;

public sealed class NvmeTierReadTests : IDisposable
{
    private const int Chunk = 64 * 1024;
    private readonly TempFolder _folder = new();
    private readonly InMemoryObjectStorage _storage = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(VerificationPolicy.Always, 1)]
    [InlineData(VerificationPolicy.Sampled, 4)]
    [InlineData(VerificationPolicy.First, 0)]
    public async Task Read_ChunkDamagedAfterItsFirstRead_IsNoticedAsThePolicySays(VerificationPolicy policy, int noticedAtRead)
    {
        _storage.With("k", Pattern.Bytes(Chunk));
        await using var tier = await Open(Options() with { Verification = policy, SampleEvery = 4 });
        await using (var filling = await tier.OpenAsync(Source("k"), Token))
        {
            await filling.FillAsync(cancellationToken: Token);
        }

        await using var lease = tier.TryOpen("k")!;
        using var memory = new AlignedMemory(Chunk);
        var target = memory.Slice(0, Chunk);
        await lease.ReadAsync(0, target, Token);
        NvmeTierTests.Damage(lease.FilePath, 100);

        var noticed = 0;
        for (var read = 1; read <= 8 && noticed == 0; read++)
        {
            try
            {
                await lease.ReadAsync(0, target, Token);
            }
            catch (StorageException error) when (error.Error == StorageError.Corrupt)
            {
                noticed = read;
            }
        }

        Assert.Equal(noticedAtRead, noticed);
    }

    [Fact]
    public async Task Read_WholeChunks_IsOneDeviceReadEachAndNoByteMore()
    {
        const int Chunks = 12;
        _storage.With("k", Pattern.Bytes((Chunks * Chunk) - 100));
        await using var tier = await Open(Options());
        await using var lease = await tier.OpenAsync(Source("k"), Token);
        await lease.FillAsync(cancellationToken: Token);
        var (reads, bytes) = (tier.Device.Reads, tier.Device.BytesRead);

        await foreach (var chunk in lease.ReadAllAsync(depth: 3, Token))
        {
            Assert.True(chunk.Length > 0);
        }

        Assert.Equal(Chunks, tier.Device.Reads - reads);
        Assert.InRange(tier.Device.BytesRead - bytes, lease.LengthBytes, lease.LengthBytes * 101 / 100);
    }

    [Theory]
    [InlineData(0, Chunk)]
    [InlineData(0, 1)]
    [InlineData(5000, 3)]
    [InlineData(Chunk - 1, 2)]
    [InlineData(4096, 8192)]
    [InlineData((2 * Chunk) + 10, 1000)]
    [InlineData(0, (2 * Chunk) + 1234)]
    [InlineData((2 * Chunk) + 1234, 0)]
    public async Task ReadView_AnyRange_HasTheBytes(int offset, int length)
    {
        var bytes = Pattern.Bytes((2 * Chunk) + 1234);
        _storage.With("k", bytes);
        await using var tier = await Open(Options());
        await using var lease = await tier.OpenAsync(Source("k"), Token);

        for (var round = 0; round < 2; round++)
        {
            using var view = await lease.ReadViewAsync(offset, length, Token);
            Assert.Equal(bytes.AsSpan(offset, length), view.Memory.Span);
        }

        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => lease.ReadViewAsync(bytes.Length, 1, Token).AsTask());
    }

    [Fact]
    public async Task Read_BeyondTheEnd_IsRefused_HoweverFar()
    {
        _storage.With("k", Pattern.Bytes(Chunk));
        await using var tier = await Open(Options());
        await using var lease = await tier.OpenAsync(Source("k"), Token);

        foreach (var offset in new[] { Chunk, (long)int.MaxValue, long.MaxValue - 1, long.MaxValue })
        {
            await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => lease.ReadAsync(offset, new byte[2], Token).AsTask());
            await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => lease.ReadViewAsync(offset, 2, Token).AsTask());
        }
    }

    [Fact]
    public async Task Open_DirectIoRefused_GoesBufferedAndSaysSoOnce()
    {
        var bytes = Pattern.Bytes((3 * Chunk) + 5);
        _storage.With("a", bytes).With("b", bytes);
        var logger = new CountingLogger(eventId: 3000);
        await using var tier = await NvmeTier.OpenAsync(Options() with { IsBuffered = true, BlockBytes = 16 << 20 }, logger, Token);
        Assert.Equal(1, logger.Count);
        await tier.Blocks!.PutAsync("a", bytes.AsMemory(0, 5000), Token);

        foreach (var key in new[] { "a", "b" })
        {
            await using var lease = await tier.OpenAsync(Source(key), Token);
            await lease.FillAsync(cancellationToken: Token);
            using var view = await lease.ReadViewAsync(0, bytes.Length, Token);
            Assert.Equal(bytes, view.Memory.ToArray());
        }

        Assert.False(tier.Device.IsDirect);
        Assert.Equal(1, logger.Count);
    }

    [Fact]
    public async Task Read_WarmChunks_AllocatesAlmostNothing()
    {
        using var child = ChildProgram.Start(typeof(NvmeTierReadTests), _folder["child"]);
        var output = await child.StandardOutput.ReadToEndAsync(Token);
        await child.WaitForExitAsync(Token);

        // The target is 64; what the runtime itself does meanwhile is counted too.
        Assert.InRange(double.Parse(output), 0, 256);
    }

    internal static async Task ChildMain(string[] args)
    {
        const int BigChunk = 1 << 20;
        const int Chunks = 16;
        const int Rounds = 8;
        var storage = new InMemoryObjectStorage().With("k", new byte[Chunks * BigChunk]);
        await using var tier = await NvmeTier.OpenAsync(new NvmeTierOptions { Folder = args[0], ChunkBytes = BigChunk }, NullLogger.Instance);
        await using var lease = await tier.OpenAsync(new BlobSource("k", storage, "k", Chunks * BigChunk, storage.ETagOf("k")));
        await lease.FillAsync();
        using var memory = new AlignedMemory(BigChunk);
        var target = memory.Slice(0, BigChunk);
        var before = 0L;
        for (var round = 0; round <= Rounds; round++)
        {
            // The first round warms the pools up.
            before = round == 1 ? GC.GetTotalAllocatedBytes(precise: true) : before;
            for (var chunk = 0; chunk < Chunks; chunk++)
            {
                await lease.ReadAsync((long)chunk * BigChunk, target);
            }
        }

        Console.Write((GC.GetTotalAllocatedBytes(precise: true) - before) / (double)(Rounds * Chunks));
    }

    private BlobSource Source(string key) => new(key, _storage, key, _storage.LengthOf(key), _storage.ETagOf(key));

    private NvmeTierOptions Options() => new() { Folder = _folder["tier"], ChunkBytes = Chunk, LimitBytes = 64 << 20 };

    private static Task<NvmeTier> Open(NvmeTierOptions options) => NvmeTier.OpenAsync(options, NullLogger.Instance, Token);

    private sealed class CountingLogger(int eventId) : ILogger
    {
        private int _count;

        public int Count => _count;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId id, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (id.Id == eventId)
            {
                Interlocked.Increment(ref _count);
            }
        }
    }
}
