using Microsoft.Extensions.Options;
using Platform.DataPlane.DeviceMemory;
using Platform.DataPlane.ObjectStorage;
using Platform.DataPlane.Weights;
using Platform.Jobs;
using Platform.Worker.Engines.Llama;
using Platform.Worker.Tier;

namespace Platform.Worker.Models;

/// <summary>Loads Llama-family models: object storage, NVMe tier and engine work at the same time, tensor by tensor.</summary>
/// <remarks>The engine computes on the processor, so its device memory is host memory whatever else the node has; <see cref="NodeDevices.Processor"/> says so.</remarks>
internal sealed class LlamaModelLoader(ModelStager stager, HostImages images, NodeDevices devices, IObjectStorage storage, NodeTier tier, TimeProvider time, IOptions<WorkerOptions> options, ILogger<LlamaModelLoader> logger) : IModelLoader
{
    public DeviceArena Arena => devices.Processor;

    public IReadOnlyList<string> Asleep => images.Models;

    public TimeSpan? Predict(ModelManifest manifest) => stager.Estimate(FilesOf(manifest)).Duration;

    public async Task<LoadedModel> LoadAsync(ModelManifest manifest, DeviceRoom room, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        var files = FilesOf(manifest);
        if (stager.Estimate(files) is { Duration: { } expected } estimate)
        {
            ModelLog.Expected(logger, manifest.Name, estimate.ObjectStoreBytes, estimate.NvmeBytes, estimate.MemoryBytes, expected.TotalMilliseconds);
        }

        var staged = await stager.StageAsync(files, room, null, cancellationToken);
        LlamaEngine? engine = null;
        try
        {
            engine = LlamaEngine.Start(staged.ConfigJson, staged.TokenizerJson, staged.Tensors, new LlamaEngineOptions { ThreadCount = options.Value.EngineThreads, MaxActive = options.Value.EngineBatch, TokenizerConfigJson = staged.File("tokenizer_config.json") });

            if (engine.ChatTemplateFault is { } fault)
            {
                ModelLog.ChatTemplateNotUsed(logger, manifest.Name, fault, engine.ChatTemplate.Name);
            }

            // Goes through the layers as they arrive, so that it ends a moment after the last one has.
            var check = engine.CheckAsync(cancellationToken);
            _ = check.ContinueWith(static task => task.Exception, TaskScheduler.Default);
            await staged.Completion.WaitAsync(cancellationToken);
            var bytesAt = time.GetTimestamp();
            await engine.Loaded.WaitAsync(cancellationToken);
            await check;
            return new LoadedModel(
                new LlamaModel(engine, staged),
                new LoadReport(staged.Report.ObjectStoreBytes, staged.Report.NvmeBytes, started, bytesAt, time.GetTimestamp()) { HostBytes = staged.Report.HostBytes });
        }
        catch
        {
            if (engine is not null)
            {
                await engine.DisposeAsync();
            }

            await staged.DisposeAsync();
            throw;
        }
    }

    private ModelFiles FilesOf(ModelManifest manifest) =>
        new(manifest.Name, storage, [.. manifest.Files.Select(file => new ModelFileSource(file.Name, ObjectKeys.ModelFile(manifest.Name, file.Name), file.LengthBytes, file.ETag))]);

    public void DropImage(string model) => images.Drop(model);

    public Task ForgetAsync(string model, CancellationToken cancellationToken)
    {
        images.Drop(model);
        return tier.ForgetAsync(model, cancellationToken);
    }
}
