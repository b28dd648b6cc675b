using Microsoft.Extensions.Options;
using Platform.DataPlane.ObjectStorage;
using Platform.DataPlane.Weights;
using Platform.Jobs;
using Platform.Worker.Engines.Llama;
using Platform.Worker.Tier;

namespace Platform.Worker.Models;

/// <summary>Loads Llama-family models: object storage, NVMe tier and engine work at the same time, tensor by tensor.</summary>
internal sealed class LlamaModelLoader(ModelStager stager, IObjectStorage storage, NodeTier tier, TimeProvider time, IOptions<WorkerOptions> options) : IModelLoader
{
    public async Task<LoadedModel> LoadAsync(ModelManifest manifest, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        var files = new ModelFiles(manifest.Name, storage, [.. manifest.Files.Select(file => new ModelFileSource(file.Name, ObjectKeys.ModelFile(manifest.Name, file.Name), file.LengthBytes, file.ETag))]);
        var staged = await stager.StageAsync(files, null, cancellationToken);
        LlamaEngine? engine = null;
        try
        {
            engine = LlamaEngine.Start(staged.ConfigJson, staged.TokenizerJson, staged.Tensors, new LlamaEngineOptions { ThreadCount = options.Value.EngineThreads, MaxActive = options.Value.EngineBatch });
            await staged.Completion.WaitAsync(cancellationToken);
            var bytesAt = time.GetTimestamp();
            await engine.Loaded.WaitAsync(cancellationToken);
            return new LoadedModel(
                new LlamaModel(engine, staged),
                new LoadReport(staged.Report.ObjectStoreBytes, staged.Report.NvmeBytes, started, bytesAt, time.GetTimestamp()));
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

    public Task ForgetAsync(string model, CancellationToken cancellationToken) => tier.ForgetAsync(model, cancellationToken);
}
