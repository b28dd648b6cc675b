using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane.DeviceMemory;
using Platform.DataPlane.DeviceMemory.Host;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.Weights;
using Platform.UnitTests.DeviceMemory;
using Platform.UnitTests.ObjectStorage;

namespace Platform.UnitTests.Staging;

/// <summary>A model on its way through every level: object storage, NVMe, host memory, device.</summary>
[Collection(DeviceCollection.Name)]
public sealed class DeviceStagingTests : IDisposable
{
    private const int Chunk = 16 * 1024;
    private readonly TempFolder _folder = new();
    private readonly InMemoryObjectStorage _storage = new();
    private readonly HostAccelerator _accelerator = new(new HostAcceleratorOptions { CapacityBytes = 8 << 20 });
    private readonly DeviceArena _arena;

    public DeviceStagingTests() => _arena = new DeviceArena(_accelerator);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _accelerator.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task Stage_ThreeTimes_ComesFromObjectStorage_ThenNvme_ThenHostMemory()
    {
        var model = await Publish(layers: 6);
        var total = model.Files.Files.Sum(file => file.LengthBytes);
        await using var tier = await Open();

        var cold = await Load(new ModelStager(tier), model);
        await tier.SealAsync(model.Files, Token);
        using var images = new HostImages(8 << 20);
        var stager = new ModelStager(tier, images: images);
        var warm = await Load(stager, model);
        var woken = await Load(stager, model);

        Assert.Equal((total, 0L), (cold.ObjectStoreBytes, cold.HostBytes));
        Assert.Equal((0L, 0L), (warm.ObjectStoreBytes, warm.HostBytes));
        Assert.InRange(warm.NvmeBytes, total, total + (4096 * 4));
        Assert.Equal((0L, 0L, 0L, total), (woken.ObjectStoreBytes, woken.ObjectStoreGets, woken.NvmeBytes, woken.HostBytes));
        Assert.All((StagingReport[])[cold, warm, woken], report => Assert.Equal(report.TotalBytes, report.LandedBytes));
        Assert.Equal(0, _accelerator.AllocatedBytes);
        Assert.Equal(["m"], images.Models);
    }

    [Fact]
    public async Task Stage_OntoMemoryOfTheMachine_IsReadStraightIntoIt()
    {
        var model = await Publish(layers: 3);
        await using var tier = await Open();
        using var room = Reserve(model);

        await using var staged = await new ModelStager(tier).StageAsync(model.Files, room, cancellationToken: Token);
        await staged.Completion;

        // Header and tensors; copied was what came in with the header.
        Assert.Equal(model.Header.FileLengthBytes, _accelerator.AllocatedBytes);
        Assert.Equal(_accelerator.AllocatedBytes, staged.Report.DeviceBytes);
        Assert.Equal(Chunk, _accelerator.CopiedBytes);
    }

    [Fact]
    public async Task Stage_FileWasLoadedBefore_ReadsItsHeaderNoMore()
    {
        var model = await Publish(layers: 3);
        await using var tier = await Open();
        var stager = new ModelStager(tier);
        await Load(stager, model);
        await tier.SealAsync(model.Files, Token);
        var copied = _accelerator.CopiedBytes;

        var again = await Load(stager, model);

        Assert.Equal(copied, _accelerator.CopiedBytes);
        Assert.Equal((again.TotalBytes, again.TensorCount), (again.LandedBytes, again.ReadyTensors));
        Assert.InRange(again.NvmeBytes, again.TotalBytes, again.TotalBytes + (4096 * 4));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Stage_HeaderOfSeveralChunks_LandsOnceAndWakes(bool ontoADevice)
    {
        var model = await Publish(layers: 3, headerBytes: (2 * Chunk) + 100);
        Assert.InRange(model.Header.DataOffsetBytes, 2 * Chunk, 4 * Chunk);
        await using var tier = await Open();
        using var images = new HostImages(8 << 20);
        var stager = new ModelStager(tier, images: images);

        for (var load = 0; load < 3; load++)
        {
            var report = ontoADevice ? await Load(stager, model) : await LoadIntoHostMemory(stager, model);
            Assert.Equal((report.TotalBytes, report.TensorCount), (report.LandedBytes, report.ReadyTensors));
            Assert.Equal(ontoADevice && load > 0 ? report.TotalBytes : 0, report.HostBytes);
        }
    }

    [Theory]
    [InlineData("opencl")]
    [InlineData("cuda")]
    public async Task Stage_OntoADeviceOfItsOwn_TakesNoMoreOfItThanTheTensors(string device)
    {
        using var accelerator = Open(device);
        var model = await Publish(layers: 3);
        await using var tier = await Open();
        using var room = new DeviceArena(accelerator, 8 << 20).Reserve("m", model.Files.Files.Sum(file => file.LengthBytes), _ => { });

        await using var staged = await new ModelStager(tier).StageAsync(model.Files, room, cancellationToken: Token);
        await staged.Completion;

        Assert.Equal(model.Bytes.Values.Sum(bytes => bytes.Length), accelerator.AllocatedBytes);
        Assert.Equal(accelerator.AllocatedBytes, staged.Report.DeviceBytes);
    }

    [Fact]
    public async Task Stage_TensorsAtOddAddressesInTheFile_AreAlignedInMemory()
    {
        // The format aligns the data section to 8 bytes; other people's writers do no more.
        var model = await Publish(layers: 5, oddHeader: true);
        Assert.NotEqual(0, model.Header.DataOffsetBytes % 64);
        await using var tier = await Open();
        using var images = new HostImages(8 << 20);
        var stager = new ModelStager(tier, images: images);

        var cold = await Load(stager, model);
        var woken = await Load(stager, model);

        Assert.Equal((0L, cold.TotalBytes), (cold.HostBytes, woken.HostBytes));
    }

    [Fact]
    public async Task Stage_EmbeddingIsOnTheDevice_WhileTheLastLayerIsStillAway()
    {
        var model = await Publish(layers: 8);
        var last = model.Header.Tensors["model.layers.7.w"];
        var gate = new TaskCompletionSource();
        _storage.BeforeRead = (key, offset) => key.EndsWith("safetensors", StringComparison.Ordinal) && offset >= last.OffsetBytes ? gate.Task : Task.CompletedTask;
        await using var tier = await Open();
        using var room = Reserve(model);

        await using var staged = await new ModelStager(tier).StageAsync(model.Files, room, cancellationToken: Token);
        var embedding = await staged.OnDeviceAsync("model.embed_tokens.weight", Token);
        var waiting = staged.OnDeviceAsync("model.layers.7.w", Token);

        Assert.Equal(model.Bytes["model.embed_tokens.weight"], embedding.Buffer.HostView!.Slice(embedding.OffsetBytes, (int)embedding.Info.LengthBytes).ToArray());
        Assert.False(waiting.IsCompleted);
        gate.SetResult();
        Assert.Equal("model.layers.7.w", (await waiting).Info.Name);
        await staged.Completion;
    }

    [Theory]
    [InlineData("opencl", true)]
    [InlineData("opencl", false)]
    [InlineData("cuda", true)]
    [InlineData("cuda", false)]
    public async Task Stage_OntoADeviceOfItsOwn_PutsTheSameBytesThere(string device, bool keepImage)
    {
        using var accelerator = Open(device);
        var model = await Publish(layers: 4);
        await using var tier = await Open();
        using var images = new HostImages(keepImage ? 8 << 20 : 0, accelerator.AllocatePinned);
        using var room = new DeviceArena(accelerator, 8 << 20).Reserve("m", model.Files.Files.Sum(file => file.LengthBytes), _ => { });
        var stager = new ModelStager(tier, images: images);

        await using (var staged = await stager.StageAsync(model.Files, room, cancellationToken: Token))
        {
            using var stream = accelerator.OpenStream();
            foreach (var (name, bytes) in model.Bytes)
            {
                var tensor = await staged.OnDeviceAsync(name, Token);
                var back = new byte[bytes.Length];
                await stream.CopyToHostAsync(tensor.Buffer, tensor.OffsetBytes, back);
                Assert.Equal(bytes, back);
            }

            var fault = await Assert.ThrowsAsync<WeightsException>(async () => await staged.Tensors.GetAsync("lm_head.weight", Token));
            Assert.Contains(accelerator.Info.Name, fault.Message, StringComparison.Ordinal);
            await staged.Completion;
        }

        Assert.Equal(keepImage ? ["m"] : [], images.Models);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Stage_OntoADeviceOfItsOwn_TakesNoMorePinnedMemoryThanItsChunksAtOnce(int parallelism)
    {
        using var device = new DeviceOfItsOwn(8 << 20);
        var model = await Publish(layers: 30);
        await using var tier = await Open();
        using var room = new DeviceArena(device).Reserve("m", model.Files.Files.Sum(file => file.LengthBytes), _ => { });

        await using (var staged = await new ModelStager(tier, new ModelStagerOptions { Parallelism = parallelism }).StageAsync(model.Files, room, cancellationToken: Token))
        {
            await staged.Completion;
            using var stream = device.OpenStream();
            var tensor = await staged.OnDeviceAsync("model.layers.29.w", Token);
            var back = new byte[tensor.Info.LengthBytes];
            await stream.CopyToHostAsync(tensor.Buffer, tensor.OffsetBytes, back);
            Assert.Equal(model.Bytes["model.layers.29.w"], back);
        }

        Assert.InRange(device.MostPinnedBytes, Chunk, parallelism * Chunk);
        Assert.Equal(0, device.PinnedBytes);
    }

    [Fact]
    public async Task Stage_RoomTooSmall_IsRefusedWithTheFigures()
    {
        var model = await Publish(layers: 4);
        await using var tier = await Open();
        using var room = _arena.Reserve("m", 1000, _ => { });

        var fault = await Assert.ThrowsAsync<DeviceMemoryException>(() => new ModelStager(tier).StageAsync(model.Files, room, cancellationToken: Token));

        Assert.Contains("room for 1000 bytes", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Estimate_OfASleepingModel_IsAllFromHostMemory()
    {
        var model = await Publish(layers: 4);
        var total = model.Files.Files.Sum(file => file.LengthBytes);
        await using var tier = await Open();
        using var images = new HostImages(8 << 20);
        var stager = new ModelStager(tier, images: images);

        await Load(stager, model);
        Assert.Equal(new StagingEstimate(0, 0, total, null), stager.Estimate(model.Files));
        await Load(stager, model);
        var estimate = stager.Estimate(model.Files);

        Assert.Equal((0L, 0L, total), (estimate.ObjectStoreBytes, estimate.NvmeBytes, estimate.MemoryBytes));
        Assert.NotNull(estimate.Duration);
    }

    [Fact]
    public async Task HostImages_BeyondTheLimit_TheOneUsedLongestAgoGoes()
    {
        var one = await Publish(layers: 4, name: "one");
        var other = await Publish(layers: 4, name: "other");
        await using var tier = await Open();
        using var images = new HostImages(one.Files.Files.Sum(file => file.LengthBytes) + (64 * 1024));
        var stager = new ModelStager(tier, images: images);

        await Load(stager, one);
        Assert.Equal(["one"], images.Models);
        await Load(stager, other);

        Assert.Equal(["other"], images.Models);
        Assert.InRange(images.UsedBytes, 1, images.LimitBytes);
        Assert.True(images.Drop("other"));
        await tier.SealAsync(other.Files, Token);
        Assert.Equal(0, images.UsedBytes);
        Assert.True((await Load(stager, other)).NvmeBytes > 0);
    }

    [Fact]
    public async Task HostImages_ModelPublishedAgain_KeepsTheNewVersionAlone()
    {
        var old = await Publish(layers: 4);
        await using var tier = await Open();
        using var images = new HostImages(8 << 20);
        var stager = new ModelStager(tier, images: images);
        await Load(stager, old);
        var used = images.UsedBytes;

        var renewed = await Publish(layers: 4, padding: 64);
        using var room = Reserve(renewed);
        await using (var both = await stager.StageAsync(renewed.Files, room, cancellationToken: Token))
        {
            Assert.True(images.Models.Count <= 1, string.Join(' ', images.Models));
            await both.Completion;
        }

        Assert.Equal(["m"], images.Models);
        Assert.InRange(images.UsedBytes, used, used + 4096);
    }

    [Fact]
    public async Task Stage_FailsHalfway_KeepsNoImageAndFreesTheDevice()
    {
        var model = await Publish(layers: 6);
        _storage.BeforeRead = (_, offset) => offset > 2 * Chunk ? throw new Platform.DataPlane.StorageException(Platform.DataPlane.StorageError.Unavailable, "not now") : Task.CompletedTask;
        await using var tier = await Open();
        using var images = new HostImages(8 << 20);
        var room = Reserve(model);

        await using (var staged = await new ModelStager(tier, images: images).StageAsync(model.Files, room, cancellationToken: Token))
        {
            await Assert.ThrowsAsync<Platform.DataPlane.StorageException>(() => staged.Completion);
        }

        room.Dispose();
        Assert.Equal((0L, 0L), (images.UsedBytes, _accelerator.AllocatedBytes));
        Assert.All(await tier.ListAsync(Token), blob => Assert.Equal(0, blob.Leases));
    }

    private static async Task<StagingReport> LoadIntoHostMemory(ModelStager stager, TestModel model)
    {
        await using var staged = await stager.StageAsync(model.Files, cancellationToken: Token);
        await staged.Completion;
        return staged.Report;
    }

    private async Task<StagingReport> Load(ModelStager stager, TestModel model)
    {
        using var room = Reserve(model);
        await using var staged = await stager.StageAsync(model.Files, room, cancellationToken: Token);
        foreach (var (name, bytes) in model.Bytes)
        {
            var memory = await staged.Tensors.GetAsync(name, Token);
            Assert.Equal(bytes, memory.ToArray());
            Assert.Equal(0, Misalignment(memory));
        }

        await staged.Completion;
        return staged.Report;
    }

    private static IAccelerator Open(string device)
    {
        var found = device == "cuda" ? Accelerators.TryCuda(out var reason) : Accelerators.TryOpenCl(withProcessors: true, out reason);
        Assert.SkipWhen(found is null, $"No {device} device: {reason}.");
        return found!;
    }

    private DeviceRoom Reserve(TestModel model) => _arena.Reserve(model.Files.Model, model.Files.Files.Sum(file => file.LengthBytes), _ => { });

    private static unsafe long Misalignment(ReadOnlyMemory<byte> memory)
    {
        fixed (byte* start = &MemoryMarshal.GetReference(memory.Span))
        {
            return (long)start % 64;
        }
    }

    private async Task<TestModel> Publish(int layers, string name = "m", int padding = 0, bool oddHeader = false, int headerBytes = 0)
    {
        string[] names = ["lm_head.weight", "model.norm.weight", "model.embed_tokens.weight", .. Enumerable.Range(0, layers).Select(i => $"model.layers.{i}.w")];
        var bytes = names.Index().ToDictionary(item => item.Item, item => Pattern.Bytes(item.Index % 3 == 0 ? 20_000 : 30_002, item.Index));
        using var file = new MemoryStream();
        await SafetensorsWriter.WriteAsync(file, [.. names.Select(tensor => new TensorBytes(tensor, TensorType.BF16, [bytes[tensor].Length / 2], bytes[tensor]))], new Dictionary<string, string> { ["of"] = new string('x', headerBytes) }, Token);
        var weights = oddHeader ? WithOddHeader(file.ToArray()) : file.ToArray();
        _storage.With($"models/{name}/config.json", [.. "{\"a\":1}"u8, .. new byte[padding]]).With($"models/{name}/tokenizer.json", "{\"t\":2}"u8.ToArray()).With($"models/{name}/model.safetensors", weights);
        var files = new[] { "config.json", "tokenizer.json", "model.safetensors" }
            .Select(item => new ModelFileSource(item, $"models/{name}/{item}", _storage.LengthOf($"models/{name}/{item}"), _storage.ETagOf($"models/{name}/{item}")))
            .ToList();
        return new TestModel(new ModelFiles(name, _storage, files), bytes, SafetensorsHeader.Parse("model.safetensors", weights, weights.Length));
    }

    /// <summary>The same file with eight spaces more at the end of its header.</summary>
    private static byte[] WithOddHeader(byte[] file)
    {
        var header = BitConverter.ToInt32(file);
        return [.. BitConverter.GetBytes(header + 8L), .. file.AsSpan(8, header), .. "        "u8, .. file.AsSpan(8 + header)];
    }

    private Task<NvmeTier> Open() => NvmeTier.OpenAsync(new NvmeTierOptions { Folder = _folder.Path, ChunkBytes = Chunk }, NullLogger.Instance, Token);

    private sealed record TestModel(ModelFiles Files, Dictionary<string, byte[]> Bytes, SafetensorsHeader Header);
}
