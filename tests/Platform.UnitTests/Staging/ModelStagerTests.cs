using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.Weights;
using Platform.UnitTests.ObjectStorage;

namespace Platform.UnitTests.Staging;

public sealed class ModelStagerTests : IDisposable
{
    private const int Chunk = 16 * 1024;
    private readonly TempFolder _folder = new();
    private readonly InMemoryObjectStorage _storage = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Stage_ColdThenWarm_GivesEveryTensor_AndTheSecondReadsNothingFromObjectStorage()
    {
        var model = await Publish(layers: 6);
        await using var tier = await Open();
        var stager = new ModelStager(tier);

        await using (var cold = await stager.StageAsync(model.Files, cancellationToken: Token))
        {
            await AssertTensors(model, cold);
            await cold.Completion;
            Assert.Equal("{\"a\":1}", Encoding.UTF8.GetString(cold.ConfigJson.Span));
            Assert.Equal("{\"t\":2}", Encoding.UTF8.GetString(cold.TokenizerJson.Span));
            Assert.Equal(model.Files.Files.Sum(file => file.LengthBytes), cold.Report.ObjectStoreBytes);
            Assert.Equal(cold.Report.TotalBytes, cold.Report.LandedBytes);
            Assert.NotNull(cold.Report.Completed);
        }

        await tier.SealAsync(model.Files, Token);
        await using var warm = await stager.StageAsync(model.Files, cancellationToken: Token);
        await warm.Completion;
        await AssertTensors(model, warm);
        Assert.Equal(0, warm.Report.ObjectStoreBytes);
        Assert.Equal(0, warm.Report.ObjectStoreGets);
        Assert.InRange(warm.Report.NvmeBytes, warm.Report.TotalBytes, warm.Report.TotalBytes + (4096 * 4));
    }

    [Fact]
    public async Task Stage_EmbeddingIsReady_WhileTheLastLayerIsStillAway()
    {
        var model = await Publish(layers: 8);
        var last = model.Header.Tensors["model.layers.7.w"];
        var gate = new TaskCompletionSource();
        _storage.BeforeRead = (key, offset) => key.EndsWith("safetensors", StringComparison.Ordinal) && offset >= last.OffsetBytes ? gate.Task : Task.CompletedTask;
        await using var tier = await Open();

        await using var staged = await new ModelStager(tier).StageAsync(model.Files, cancellationToken: Token);
        var embedding = await staged.Tensors.GetAsync("model.embed_tokens.weight", Token);
        var waiting = staged.Tensors.GetAsync("model.layers.7.w", Token).AsTask();

        Assert.Equal(model.Bytes["model.embed_tokens.weight"], embedding.ToArray());
        Assert.False(waiting.IsCompleted);
        gate.SetResult();
        Assert.Equal(model.Bytes["model.layers.7.w"], (await waiting).ToArray());
        await staged.Completion;
    }

    [Fact]
    public async Task Stage_TwiceAtOnce_IsOneLoad()
    {
        var model = await Publish(layers: 6);
        await using var tier = await Open();
        var stager = new ModelStager(tier);

        var both = await Task.WhenAll(stager.StageAsync(model.Files, cancellationToken: Token), stager.StageAsync(model.Files, cancellationToken: Token));
        await Task.WhenAll(both.Select(staged => staged.Completion));

        Assert.Equal(model.Files.Files.Sum(file => (file.LengthBytes + Chunk - 1) / Chunk), _storage.Gets);
        await both[0].DisposeAsync();
        await AssertTensors(model, both[1]);
        await both[1].DisposeAsync();
    }

    [Fact]
    public async Task Estimate_FollowsTheBytesFromObjectStorageToNvmeToMemory()
    {
        var model = await Publish(layers: 6);
        var total = model.Files.Files.Sum(file => file.LengthBytes);
        await using var tier = await Open();
        var stager = new ModelStager(tier);
        Assert.Equal(new StagingEstimate(total, 0, 0, null), stager.Estimate(model.Files));

        await using (var staged = await stager.StageAsync(model.Files, cancellationToken: Token))
        {
            await staged.Completion;
            Assert.Equal(new StagingEstimate(0, 0, total, TimeSpan.Zero), stager.Estimate(model.Files));
        }

        var warm = stager.Estimate(model.Files);
        Assert.Equal((0, total, 0), (warm.ObjectStoreBytes, warm.NvmeBytes, warm.MemoryBytes));
        Assert.NotNull(warm.Duration);
    }

    [Fact]
    public async Task Estimate_OneLoadWasHeldUp_PredictsWhatTheOthersTook()
    {
        var model = await Publish(layers: 6);
        var time = new FakeTimeProvider();
        var perRead = TimeSpan.FromSeconds(100);
        _storage.BeforeRead = (_, _) =>
        {
            time.Advance(perRead);
            return Task.CompletedTask;
        };
        await using var tier = await Open();
        var stager = new ModelStager(tier, new ModelStagerOptions { Parallelism = 1 }, time);
        var reads = 0L;
        foreach (var seconds in (int[])[100, 1, 2, 1])
        {
            perRead = TimeSpan.FromSeconds(seconds);
            await using (var staged = await stager.StageAsync(model.Files, cancellationToken: Token))
            {
                await staged.Completion;
                reads = staged.Report.ObjectStoreGets;
            }

            foreach (var file in model.Files.Files)
            {
                await tier.RemoveAsync(file.ObjectKey, Token);
            }
        }

        var predicted = stager.Estimate(model.Files).Duration!.Value.TotalSeconds;

        Assert.InRange(predicted, reads * 0.9, reads * 1.1);
    }

    [Fact]
    public async Task Estimate_LoadsOfTwoSizes_TellsWhatEveryLoadPaysFromWhatAByteTakes()
    {
        // A second per read: those of the small files do not grow with the model.
        var time = new FakeTimeProvider();
        _storage.BeforeRead = (_, _) =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            return Task.CompletedTask;
        };
        await using var tier = await Open();
        var stager = new ModelStager(tier, new ModelStagerOptions { Parallelism = 1 }, time);
        async Task<(TestModel Model, double Seconds)> Load(int layers)
        {
            var model = await Publish(layers);
            await using var staged = await stager.StageAsync(model.Files, cancellationToken: Token);
            await staged.Completion;
            foreach (var file in model.Files.Files)
            {
                await tier.RemoveAsync(file.ObjectKey, Token);
            }

            return (model, staged.Report.Completed!.Value.TotalSeconds);
        }

        await Load(layers: 4);
        await Load(layers: 40);
        var (between, seconds) = await Load(layers: 20);
        await Load(layers: 4);

        Assert.InRange(stager.Estimate(between.Files).Duration!.Value.TotalSeconds, seconds - 2, seconds + 2);
    }

    [Fact]
    public async Task Stage_ObjectTruncated_FailsWithItsKey()
    {
        var model = await Publish(layers: 4);
        var key = model.Files.Files.Single(file => file.Name.EndsWith(".safetensors", StringComparison.Ordinal)).ObjectKey;
        _storage.BeforeRead = (read, offset) => read == key && offset > 0 ? throw new StorageException(StorageError.Truncated, $"Object '{key}' ended early.") : Task.CompletedTask;
        await using var tier = await Open();

        await using var staged = await new ModelStager(tier).StageAsync(model.Files, cancellationToken: Token);

        var error = await Assert.ThrowsAsync<StorageException>(() => staged.Completion);
        Assert.Equal(StorageError.Truncated, error.Error);
        Assert.Contains(key, error.Message, StringComparison.Ordinal);
        var tensor = await Assert.ThrowsAsync<WeightsException>(() => staged.Tensors.GetAsync("lm_head.weight", Token).AsTask());
        Assert.Contains(key, tensor.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stage_AfterAFailure_StartsAnew()
    {
        var model = await Publish(layers: 4);
        _storage.BeforeRead = (_, offset) => offset > 0 ? throw new StorageException(StorageError.Unavailable, "not now") : Task.CompletedTask;
        await using var tier = await Open();
        var stager = new ModelStager(tier);
        await using var failed = await stager.StageAsync(model.Files, cancellationToken: Token);
        await Assert.ThrowsAsync<StorageException>(() => failed.Completion);
        _storage.BeforeRead = null;

        await using var staged = await stager.StageAsync(model.Files, cancellationToken: Token);

        await staged.Completion;
        await AssertTensors(model, staged);
    }

    [Fact]
    public async Task Stage_ObjectChangedSincePublication_FailsWithItsKey()
    {
        var model = await Publish(layers: 2);
        _storage.With("models/m/config.json", "{}"u8.ToArray());
        await using var tier = await Open();

        var error = await Assert.ThrowsAsync<StorageException>(() => new ModelStager(tier).StageAsync(model.Files, cancellationToken: Token));

        Assert.Equal(StorageError.Changed, error.Error);
        Assert.Contains("models/m/config.json", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("config.json")]
    [InlineData("tokenizer.json")]
    [InlineData("model.safetensors")]
    public async Task Stage_FileMissingFromTheModel_IsNamed(string file)
    {
        var model = await Publish(layers: 2);
        var files = model.Files with { Files = [.. model.Files.Files.Where(item => item.Name != file)] };
        await using var tier = await Open();

        var error = await Assert.ThrowsAsync<WeightsException>(() => new ModelStager(tier).StageAsync(files, cancellationToken: Token));

        Assert.Contains(file.Split('.')[^1], error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stage_ModelOfTwoFilesWithAnIndex_IsReadInExecutionOrderAcrossBoth()
    {
        // The later layer lies in the first file.
        var model = await PublishTwoFiles(("late.safetensors", ["model.layers.1.w", "lm_head.weight"]), ("early.safetensors", ["model.embed_tokens.weight", "model.layers.0.w"]));
        var reads = new List<string>();
        _storage.BeforeRead = (key, offset) =>
        {
            if (offset > 0)
            {
                reads.Add(key.Split('/')[^1]);
            }

            return Task.CompletedTask;
        };
        await using var tier = await Open();

        await using var staged = await new ModelStager(tier, new ModelStagerOptions { Parallelism = 1 }).StageAsync(model.Files, cancellationToken: Token);
        await staged.Completion;

        await AssertTensors(model, staged);
        Assert.Equal(reads.OrderBy(name => name == "late.safetensors"), reads);
        Assert.Equal(2, reads.Distinct().Count());
    }

    [Fact]
    public async Task Stage_IndexThatNamesATensorInTheOtherFile_IsRefusedWithBoth()
    {
        var model = await PublishTwoFiles(("a.safetensors", ["model.layers.0.w"]), ("b.safetensors", ["lm_head.weight"]));
        _storage.With("models/m/model.safetensors.index.json", """{"weight_map":{"model.layers.0.w":"b.safetensors","lm_head.weight":"b.safetensors"}}"""u8.ToArray());
        await using var tier = await Open();

        var error = await Assert.ThrowsAsync<WeightsException>(() => new ModelStager(tier).StageAsync(FilesOf(model.Files.Files.Select(file => file.Name)), cancellationToken: Token));

        Assert.Contains("model.layers.0.w", error.Message, StringComparison.Ordinal);
        Assert.Contains("b.safetensors", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stage_TellsItsProgress_ChunkByChunkUpToTheEnd()
    {
        var model = await Publish(layers: 6);
        await using var tier = await Open();
        var told = new Progress();

        await using var staged = await new ModelStager(tier).StageAsync(model.Files, told, Token);
        await staged.Completion;

        var landed = told.Reports.Select(report => report.LandedBytes).ToList();
        Assert.Equal(landed.Order(), landed);
        Assert.True(landed.Distinct().Count() > 3, string.Join(' ', landed));
        Assert.Equal((staged.Report.TotalBytes, staged.Report.TensorCount), (told.Reports[^1].LandedBytes, told.Reports[^1].ReadyTensors));
        Assert.NotNull(told.Reports[^1].Completed);
    }

    [Fact]
    public async Task Stage_Cancelled_StopsAndFreesTheTier()
    {
        var model = await Publish(layers: 8);
        var gate = new TaskCompletionSource();
        _storage.BeforeRead = (_, offset) => offset > 0 ? gate.Task : Task.CompletedTask;
        await using var tier = await Open();
        var staged = await new ModelStager(tier).StageAsync(model.Files, cancellationToken: Token);

        var disposal = staged.DisposeAsync().AsTask();
        gate.SetResult();
        await disposal;

        await Assert.ThrowsAnyAsync<Exception>(() => staged.Completion);
        Assert.All(await tier.ListAsync(Token), blob => Assert.Equal(0, blob.Leases));
    }

    private static async Task AssertTensors(TestModel model, StagedModel staged)
    {
        Assert.Equal(model.Bytes.Keys.Order(), staged.Tensors.Tensors.Keys.Order());
        foreach (var (name, bytes) in model.Bytes)
        {
            var memory = await staged.Tensors.GetAsync(name, Token);
            Assert.Equal(bytes, memory.ToArray());
            Assert.Equal(0, Misalignment(memory));
        }
    }

    private static unsafe long Misalignment(ReadOnlyMemory<byte> memory)
    {
        fixed (byte* start = &MemoryMarshal.GetReference(memory.Span))
        {
            return (long)start % 64;
        }
    }

    private async Task<TestModel> Publish(int layers)
    {
        var names = new List<string> { "lm_head.weight", "model.norm.weight" };
        names.AddRange(Enumerable.Range(0, layers).Select(i => $"model.layers.{i}.w"));
        names.Insert(4, "model.embed_tokens.weight");
        var bytes = names.Index().ToDictionary(item => item.Item, item => Pattern.Bytes((item.Index % 3 == 0 ? 20_000 : 30_002) / 2 * 2, item.Index));
        using var file = new MemoryStream();
        await SafetensorsWriter.WriteAsync(file, [.. names.Select(name => new TensorBytes(name, TensorType.BF16, [bytes[name].Length / 2], bytes[name]))], cancellationToken: Token);
        _storage.With("models/m/config.json", "{\"a\":1}"u8.ToArray()).With("models/m/tokenizer.json", "{\"t\":2}"u8.ToArray()).With("models/m/model.safetensors", file.ToArray());
        var files = new[] { "config.json", "tokenizer.json", "model.safetensors" }
            .Select(name => new ModelFileSource(name, $"models/m/{name}", _storage.LengthOf($"models/m/{name}"), _storage.ETagOf($"models/m/{name}")))
            .ToList();
        return new TestModel(new ModelFiles("m", _storage, files), bytes, SafetensorsHeader.Parse("model.safetensors", file.ToArray(), file.Length));
    }

    private async Task<TestModel> PublishTwoFiles(params (string File, string[] Tensors)[] parts)
    {
        var bytes = new Dictionary<string, byte[]>();
        var map = new Dictionary<string, string>();
        foreach (var (name, tensors) in parts)
        {
            using var content = new MemoryStream();
            foreach (var tensor in tensors)
            {
                map[tensor] = name;
                bytes[tensor] = Pattern.Bytes(40_002, bytes.Count);
            }

            await SafetensorsWriter.WriteAsync(content, [.. tensors.Select(tensor => new TensorBytes(tensor, TensorType.BF16, [bytes[tensor].Length / 2], bytes[tensor]))], cancellationToken: Token);
            _storage.With($"models/m/{name}", content.ToArray());
        }

        _storage.With("models/m/config.json", "{\"a\":1}"u8.ToArray()).With("models/m/tokenizer.json", "{\"t\":2}"u8.ToArray())
            .With("models/m/model.safetensors.index.json", JsonSerializer.SerializeToUtf8Bytes(new { weight_map = map }));
        return new TestModel(FilesOf(["config.json", "tokenizer.json", "model.safetensors.index.json", .. parts.Select(part => part.File)]), bytes, null!);
    }

    private ModelFiles FilesOf(IEnumerable<string> names) =>
        new("m", _storage, [.. names.Select(name => new ModelFileSource(name, $"models/m/{name}", _storage.LengthOf($"models/m/{name}"), _storage.ETagOf($"models/m/{name}")))]);

    private Task<NvmeTier> Open() => NvmeTier.OpenAsync(new NvmeTierOptions { Folder = _folder.Path, ChunkBytes = Chunk }, NullLogger.Instance, Token);

    private sealed class Progress : IProgress<StagingReport>
    {
        private readonly Lock _gate = new();

        public List<StagingReport> Reports { get; } = [];

        public void Report(StagingReport value)
        {
            lock (_gate)
            {
                Reports.Add(value);
            }
        }
    }

    private sealed record TestModel(ModelFiles Files, Dictionary<string, byte[]> Bytes, SafetensorsHeader Header);
}
