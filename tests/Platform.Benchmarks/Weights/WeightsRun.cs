using Microsoft.Extensions.Logging.Abstractions;
using Platform.Benchmarks.Engine;
using Platform.Benchmarks.Tier;
using Platform.DataPlane.DeviceMemory;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.ObjectStorage;
using Platform.DataPlane.Weights;

namespace Platform.Benchmarks.Weights;

/// <summary>A random model in object storage, and what the suites do with it.</summary>
/// <param name="Folder">A folder of the run's own on the disk that is measured.</param>
/// <param name="Pairs">Pairs of windows.</param>
/// <param name="Files">The model.</param>
internal sealed record WeightsRun(string Folder, int Pairs, ModelFiles Files)
{
    public const string Model = "random";

    public static readonly string[] Names = ["config.json", "tokenizer.json", "model.safetensors"];

    /// <summary>Bounds of loads.</summary>
    public ModelStagerOptions Stager { get; init; } = new();

    /// <summary>Folder that this program was published to, whose start is measured; null for the build's own.</summary>
    public string? Published { get; init; }

    /// <summary>Bytes of the whole model.</summary>
    public long TotalBytes => Files.Files.Sum(file => file.LengthBytes);

    /// <summary>Writes the model.</summary>
    /// <param name="folder">An empty folder on the disk to measure.</param>
    /// <param name="pairs">Pairs of windows.</param>
    /// <param name="large">1.8 GB, five layers of the size that 7 B models have, instead of 235 MB.</param>
    public static async Task<WeightsRun> PrepareAsync(string folder, int pairs, bool large = false)
    {
        var model = large
            ? new RandomLlama(hidden: 4096, intermediate: 11_008, layers: 5, heads: 32, keyValueHeads: 8, vocabulary: 4_000)
            : new RandomLlama(hidden: 1024, intermediate: 2816, layers: 10, heads: 16, keyValueHeads: 4, vocabulary: 4_000);
        var storage = Storage(folder);
        var tensors = new List<TensorBytes>();
        foreach (var tensor in model.Tensors.Tensors.Values)
        {
            tensors.Add(new TensorBytes(tensor.Name, tensor.Type, tensor.Shape, await model.Tensors.GetAsync(tensor.Name)));
        }

        var path = Path.Combine(folder, "model.tmp");
        await using (var file = File.Create(path))
        {
            await SafetensorsWriter.WriteAsync(file, tensors);
            file.Position = 0;
            await storage.PutAsync(Key("model.safetensors"), file);
        }

        File.Delete(path);
        await storage.PutAsync(Key("config.json"), model.ConfigJson);
        await storage.PutAsync(Key("tokenizer.json"), model.TokenizerJson);
        return new WeightsRun(folder, pairs, await FilesAsync(storage));
    }

    public static DirectoryObjectStorage Storage(string folder) => new(Path.Combine(folder, "objects"));

    /// <summary>The model as it lies in a storage.</summary>
    public static async Task<ModelFiles> FilesAsync(IObjectStorage storage)
    {
        var files = new List<ModelFileSource>();
        foreach (var name in Names)
        {
            var info = await storage.HeadAsync(Key(name));
            files.Add(new ModelFileSource(name, Key(name), info!.LengthBytes, info.ETag));
        }

        return new ModelFiles(Model, storage, files);
    }

    public static string Key(string name) => $"models/{Model}/{name}";

    /// <summary>The tier that all suites use; its settings are the product's defaults.</summary>
    public static Task<NvmeTier> OpenTierAsync(string folder) => NvmeTier.OpenAsync(new NvmeTierOptions { Folder = Path.Combine(folder, "tier"), LimitBytes = 4L << 30 }, NullLogger.Instance);

    /// <summary>Brings the model into the tier, so that what follows comes from NVMe.</summary>
    public async Task SealAsync(NvmeTier tier)
    {
        await using var staged = await new ModelStager(tier).StageAsync(Files);
        await staged.Completion;
    }

    /// <summary>A load into host memory.</summary>
    public async Task<StagingReport> LoadAsync(ModelStager stager)
    {
        await using var staged = await stager.StageAsync(Files);
        await staged.Completion;
        return staged.Report;
    }

    /// <summary>A load onto a device.</summary>
    public async Task<StagingReport> LoadAsync(ModelStager stager, DeviceArena arena)
    {
        using var room = arena.Reserve(Model, TotalBytes, static _ => { });
        await using var staged = await stager.StageAsync(Files, room);
        await staged.Completion;
        return staged.Report;
    }

    /// <summary>The weights file as it lies, sealed, in the tier.</summary>
    public async Task<BlobLease> WeightsFileAsync(NvmeTier tier)
    {
        var file = Files.Files.Single(file => file.Name == "model.safetensors");
        var lease = await tier.OpenAsync(new BlobSource(file.ObjectKey, Files.Storage, file.ObjectKey, file.LengthBytes, file.ETag));
        await lease.FillAsync();
        return lease;
    }

    /// <summary>Reads the same file with nothing but the disk between.</summary>
    public static Task<Window> RawReadAsync(BlobLease lease) => RawReadAsync(lease.FilePath);

    /// <inheritdoc cref="RawReadAsync(BlobLease)"/>
    public static Task<Window> RawReadAsync(string path) => RawDisk.ReadAsync(path, 1 << 20, 8, random: false, new FileInfo(path).Length / (1 << 20) * (1 << 20));
}
