using Microsoft.Extensions.Options;
using Platform.DataPlane.DeviceMemory;
using Platform.DataPlane.ObjectStorage;
using Platform.DataPlane.Weights;
using Platform.Jobs;
using Platform.Worker.Engines;
using Platform.Worker.Engines.External;
using Platform.Worker.Tier;

namespace Platform.Worker.Models;

/// <summary>Loads models into a foreign server: seals their files in the tier, starts the server on them, waits until it is healthy.</summary>
/// <remarks>How much device memory the server takes is its own affair; what is reserved is the size of the files. Its weights are in its own process, so models do not sleep in host memory here.</remarks>
internal sealed class ExternalModelLoader : IModelLoader
{
    private readonly NodeDevices _devices;
    private readonly WorkerNode _node;
    private readonly IObjectStorage _storage;
    private readonly NodeTier _tier;
    private readonly TimeProvider _time;
    private readonly ExternalEngineOptions _options;
    private readonly ILogger _logger;
    private int _number;

    /// <summary>Makes the loader, and ends what a killed predecessor left running on this node.</summary>
    public ExternalModelLoader(NodeDevices devices, WorkerNode node, IObjectStorage storage, NodeTier tier, TimeProvider time, IOptions<WorkerOptions> options, ILogger<ExternalModelLoader> logger)
    {
        (_devices, _node, _storage, _tier, _time, _options, _logger) = (devices, node, storage, tier, time, options.Value.External, logger);
        if (LeftOverServers.End(node.EnginesFolder) is > 0 and var ended)
        {
            ExternalLog.LeftOversEnded(logger, ended);
        }
    }

    public DeviceArena Arena => _devices.Device;

    public IReadOnlyList<string> Asleep => [];

    /// <summary>What takes the time is the server's own start, of which nothing is known here.</summary>
    public TimeSpan? Predict(ModelManifest manifest) => null;

    public async Task<LoadedModel> LoadAsync(ModelManifest manifest, DeviceRoom room, CancellationToken cancellationToken)
    {
        var started = _time.GetTimestamp();
        await room.Granted.WaitAsync(cancellationToken);
        var files = new ModelFiles(manifest.Name, _storage, [.. manifest.Files.Select(file => new ModelFileSource(file.Name, ObjectKeys.ModelFile(manifest.Name, file.Name), file.LengthBytes, file.ETag))]);
        var path = Path.Combine(_node.EnginesFolder, $"{manifest.Name}-{Interlocked.Increment(ref _number)}");
        var folder = await SealedModelFolder.CreateAsync(files, _tier.Tier, path, cancellationToken);
        var staged = _time.GetTimestamp();
        var engine = ExternalEngine.Start(manifest.Name, folder.Path, _options, _time, _logger);
        var model = new ExternalModel(engine, folder);
        try
        {
            await engine.WhenHealthyAsync(cancellationToken);
            return new LoadedModel(model, new LoadReport(folder.ObjectStoreBytes, 0, started, staged, _time.GetTimestamp()) { StartsProcess = true });
        }
        catch
        {
            await model.DisposeAsync();
            throw;
        }
    }

    public void DropImage(string model)
    {
        // None is kept.
    }

    public Task ForgetAsync(string model, CancellationToken cancellationToken) => _tier.ForgetAsync(model, cancellationToken);

    /// <summary>A server together with the files that it reads; both end together, in this order.</summary>
    private sealed class ExternalModel(ExternalEngine engine, SealedModelFolder folder) : IEngine
    {
        public int ContextLength => engine.ContextLength;

        public long TokensMade => engine.TokensMade;

        public int CountTokens(string text) => engine.CountTokens(text);

        public string RenderChat(IReadOnlyList<ChatMessage> messages) => engine.RenderChat(messages);

        public IAsyncEnumerable<GeneratedToken> GenerateAsync(GenerationRequest request, CancellationToken cancellationToken) => engine.GenerateAsync(request, cancellationToken);

        public async ValueTask DisposeAsync()
        {
            await engine.DisposeAsync();
            await folder.DisposeAsync();
        }
    }
}
