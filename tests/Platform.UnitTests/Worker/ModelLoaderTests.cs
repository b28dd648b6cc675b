using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.ObjectStorage;
using Platform.DataPlane.Weights;
using Platform.Jobs;
using Platform.UnitTests.Engines;
using Platform.Worker;
using Platform.Worker.Engines;
using Platform.Worker.Models;
using Platform.Worker.Tier;

namespace Platform.UnitTests.Worker;

/// <summary>The demo model through storage, tier, device and engine, as a worker does it.</summary>
public sealed class ModelLoaderTests : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private readonly NodeChanges _changes = new();
    private DirectoryObjectStorage _storage = null!;
    private NvmeTier _tier = null!;
    private ModelManifest _manifest = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _storage = new DirectoryObjectStorage(Path.Combine(_folder.Path, "objects"));
        var files = new List<ModelFile>();
        foreach (var name in (string[])["config.json", "tokenizer.json", "model.safetensors"])
        {
            var bytes = await File.ReadAllBytesAsync(DemoModel.File(name));
            files.Add(new ModelFile(name, bytes.Length, await _storage.PutAsync(ObjectKeys.ModelFile("demo", name), bytes)));
        }

        _manifest = new ModelManifest { Name = "demo", Files = files };
        _tier = await NvmeTier.OpenAsync(new NvmeTierOptions { Folder = Path.Combine(_folder.Path, "tier") }, NullLogger.Instance);
    }

    public async ValueTask DisposeAsync()
    {
        await _tier.DisposeAsync();
        _changes.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task Llama_ColdThenAsleepThenOnNvmeAlone_SaysTheSame_AndReadsLessEachTime()
    {
        var options = Settings();
        var node = new WorkerNode("worker-0", options);
        using var devices = new NodeDevices(node, options);
        using var images = new HostImages(64 << 20);
        var loader = new LlamaModelLoader(new ModelStager(_tier, null, null, images), images, devices, _storage, new NodeTier(_tier), TimeProvider.System, options, NullLogger<LlamaModelLoader>.Instance);
        await using var models = new ResidentModels(loader, node, _changes, TimeProvider.System, NullLogger<ResidentModels>.Instance);

        var cold = await SayAsync(models);
        models.Sleep("demo", keepInHostMemory: true);
        var residency = models.Residency()["demo"];
        var free = devices.Processor.FreeBytes;
        var woken = await SayAsync(models);
        models.Sleep("demo", keepInHostMemory: false);
        var warm = await SayAsync(models);

        Assert.Equal((ModelResidency.Host, devices.Processor.LimitBytes), (residency, free));
        Assert.Equal((cold.Text, cold.Text), (woken.Text, warm.Text));
        Assert.Equal(_manifest.LengthBytes, cold.ObjectStoreBytes);
        Assert.Equal((0L, 0L), (woken.ObjectStoreBytes, woken.NvmeBytes));
        Assert.Equal(0L, warm.ObjectStoreBytes);
        Assert.True(warm.NvmeBytes >= _manifest.LengthBytes, $"{warm.NvmeBytes} bytes");
    }

    [Fact]
    public async Task Llama_ModelOfTwoFiles_SaysWhatItSaysInOne()
    {
        await using var whole = InMemoryTensors.Parse("model.safetensors", await File.ReadAllBytesAsync(DemoModel.File("model.safetensors"), Token));
        var tensors = new List<TensorBytes>();
        foreach (var info in whole.Tensors.Values)
        {
            tensors.Add(new TensorBytes(info.Name, info.Type, info.Shape, await whole.GetAsync(info.Name, Token)));
        }

        // Every other tensor: each layer lies in both.
        var parts = tensors.Index().GroupBy(tensor => $"model-0000{(tensor.Index % 2) + 1}-of-00002.safetensors", tensor => tensor.Item).ToList();
        async Task<ModelFile> PutAsync(string name, byte[] bytes) => new(name, bytes.Length, await _storage.PutAsync(ObjectKeys.ModelFile("split", name), bytes, cancellationToken: Token));
        var files = new List<ModelFile>();
        foreach (var name in (string[])["config.json", "tokenizer.json"])
        {
            files.Add(await PutAsync(name, await File.ReadAllBytesAsync(DemoModel.File(name), Token)));
        }

        foreach (var part in parts)
        {
            using var content = new MemoryStream();
            await SafetensorsWriter.WriteAsync(content, [.. part], cancellationToken: Token);
            files.Add(await PutAsync(part.Key, content.ToArray()));
        }

        files.Add(await PutAsync(SafetensorsIndex.FileName, System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(new { weight_map = parts.SelectMany(part => part, (part, tensor) => (tensor.Name, part.Key)).ToDictionary() })));
        var options = Settings();
        var node = new WorkerNode("worker-0", options);
        using var devices = new NodeDevices(node, options);
        using var images = new HostImages(0);
        var loader = new LlamaModelLoader(new ModelStager(_tier, null, null, images), images, devices, _storage, new NodeTier(_tier), TimeProvider.System, options, NullLogger<LlamaModelLoader>.Instance);
        await using var models = new ResidentModels(loader, node, _changes, TimeProvider.System, NullLogger<ResidentModels>.Instance);

        Assert.Equal((await SayAsync(models)).Text, (await SayAsync(models, new ModelManifest { Name = "split", Files = files })).Text);
    }

    [Fact]
    public async Task Llama_NanInTheWeights_FailsTheLoadAndNamesTheTensor()
    {
        const string Bad = "model.layers.1.mlp.down_proj.weight";
        var model = RandomModel.Create(3);
        var tensors = model.Tensors.Select(tensor => tensor.Name == Bad ? tensor with { Bytes = WithNan(tensor.Bytes) } : tensor).ToList();
        using var weights = new MemoryStream();
        await SafetensorsWriter.WriteAsync(weights, tensors, cancellationToken: Token);
        var files = new List<ModelFile>();
        foreach (var (name, bytes) in new (string, byte[])[] { ("config.json", model.ConfigJson), ("tokenizer.json", model.TokenizerJson), ("model.safetensors", weights.ToArray()) })
        {
            files.Add(new ModelFile(name, bytes.Length, await _storage.PutAsync(ObjectKeys.ModelFile("bad", name), bytes, cancellationToken: Token)));
        }

        var options = Settings();
        var node = new WorkerNode("worker-0", options);
        using var devices = new NodeDevices(node, options);
        using var images = new HostImages(0);
        var loader = new LlamaModelLoader(new ModelStager(_tier, null, null, images), images, devices, _storage, new NodeTier(_tier), TimeProvider.System, options, NullLogger<LlamaModelLoader>.Instance);
        await using var models = new ResidentModels(loader, node, _changes, TimeProvider.System, NullLogger<ResidentModels>.Instance);

        var fault = await Assert.ThrowsAsync<EngineException>(() => SayAsync(models, new ModelManifest { Name = "bad", Files = files }));

        Assert.Equal(ErrorCodes.ModelInvalid, fault.Code);
        Assert.Contains(Bad, fault.Message, StringComparison.Ordinal);
        Assert.Empty(models.Residency());
        Assert.Equal(devices.Processor.LimitBytes, devices.Processor.FreeBytes);
    }

    [Fact]
    public async Task External_SealsTheFiles_RunsTheServerOnThem_AndLetsThemGo()
    {
        Assert.SkipUnless((Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(path => File.Exists(Path.Combine(path, "node"))), "Node.js is not installed.");
        const string Server = """
            const [folder, port] = process.argv.slice(1), fs = require("fs");
            require("http").createServer((request, response) => {
              if (request.url === "/health") return response.end();
              request.resume().on("end", () => response.end(`data: ${JSON.stringify({ choices: [{ text: fs.readdirSync(folder).sort().join(" ") + " " + process.env.CUDA_VISIBLE_DEVICES + " " + fs.statSync(folder + "/model.safetensors").size, finish_reason: "stop" }] })}\n\n`));
            }).listen(port, "127.0.0.1");
            """;
        var options = Settings();
        options.Value.External.Command.Add("node");
        options.Value.External.Command.Add("-e");
        options.Value.External.Command.Add(Server);
        options.Value.External.Command.Add("{model_dir}");
        options.Value.External.Command.Add("{port}");
        options.Value.External.Environment["CUDA_VISIBLE_DEVICES"] = "gpu-{gpu}";
        options.Value.External.ProbeEvery = TimeSpan.FromMilliseconds(20);
        var node = new WorkerNode("worker-0", options);
        using var devices = new NodeDevices(node, options);
        var loader = new ExternalModelLoader(devices, node, _storage, new NodeTier(_tier), TimeProvider.System, options, NullLogger<ExternalModelLoader>.Instance);

        await using (var models = new ResidentModels(loader, node, _changes, TimeProvider.System, NullLogger<ResidentModels>.Instance))
        {
            var said = await SayAsync(models);

            Assert.Equal($"config.json model.safetensors tokenizer.json gpu-0 {_manifest.Files.Single(file => file.Name == "model.safetensors").LengthBytes}", said.Text);
            Assert.Equal(_manifest.LengthBytes, said.ObjectStoreBytes);
            Assert.True(said.Process > TimeSpan.Zero);
            Assert.All(await _tier.ListAsync(Token), blob => Assert.True(blob is { Sealed: true, Leases: 1 }, blob.Key));
        }

        Assert.All(await _tier.ListAsync(Token), blob => Assert.Equal(0, blob.Leases));
        Assert.Empty(Directory.GetDirectories(node.EnginesFolder));
    }

    private static byte[] WithNan(ReadOnlyMemory<byte> bytes)
    {
        var copy = bytes.ToArray();
        (copy[10], copy[11]) = (0xC0, 0x7F);
        return copy;
    }

    [Fact]
    public void Devices_CudaAskedForWithoutADriver_CannotStart()
    {
        Assert.SkipUnless(Platform.DataPlane.DeviceMemory.Accelerators.TryCuda(out _) is null, "There is a CUDA device.");
        var options = Settings();
        options.Value.Accelerator = "cuda";

        Assert.Throws<Platform.DataPlane.DeviceMemory.AcceleratorException>(() => new NodeDevices(new WorkerNode("worker-0", options), options));
    }

    private static async Task<(string Text, long ObjectStoreBytes, long NvmeBytes, TimeSpan Process)> SayAsync(ResidentModels models, ModelManifest manifest)
    {
        using var lease = await models.AcquireAsync(manifest, Token);
        var text = "";
        await foreach (var token in lease.Engine.GenerateAsync(new GenerationRequest { Prompt = "Once upon a time", MaxTokens = 12 }, Token))
        {
            text += token.Text;
        }

        return (text, lease.ObjectStoreBytes, lease.NvmeBytes, lease.Process);
    }

    private Task<(string Text, long ObjectStoreBytes, long NvmeBytes, TimeSpan Process)> SayAsync(ResidentModels models) => SayAsync(models, _manifest);

    private IOptions<WorkerOptions> Settings() => Options.Create(new WorkerOptions { Home = _folder.Path, DeviceCapacityBytes = 64 << 20, Accelerator = "host" });
}
