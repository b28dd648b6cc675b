using System.Globalization;
using Microsoft.Extensions.Options;
using Platform.Control.Nodes;
using Platform.Control.Placement;
using Platform.Dapr;
using Platform.Dapr.Actors;
using Platform.Jobs;

namespace Platform.Control.Models;

/// <summary>One model: its manifest, saved, and where its next replica goes, in memory. Turns are serial, which makes the choice of a node single flight.</summary>
internal sealed class ModelActor(
    ActorHost host,
    NodeRegistry nodes,
    ActorProxyFactory actors,
    DaprInvoker dapr,
    TimeProvider time,
    IOptions<ControlOptions> options,
    ILogger<ModelActor> logger) : Actor(host), IModelActor
{
    private const string ManifestKey = "manifest";
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(5);
    private (string Worker, string? InstanceId, long At)? _held;

    public async Task<ModelManifest> Publish(ModelManifest manifest)
    {
        var earlier = await Get();
        manifest = manifest with { PublishedAt = manifest.PublishedAt ?? time.GetUtcNow() };
        await StateManager.SetStateAsync(ManifestKey, manifest);
        await StateManager.SaveStateAsync();
        _held = null;
        using var timeout = new CancellationTokenSource(CallTimeout, time);
        await Index().InvokeMethodAsync(nameof(IModelIndexActor.Record), manifest, ControlJson.Default.ModelManifest, timeout.Token);
        ModelLog.Published(logger, manifest.Name, manifest.Files.Count, manifest.LengthBytes);
        if (earlier is not null && !earlier.Files.SequenceEqual(manifest.Files))
        {
            // Replicas of the old files would go on answering warm calls.
            await DropReplicasAsync(timeout.Token);
        }

        return manifest;
    }

    public async Task<ModelManifest?> Get() =>
        await StateManager.TryGetStateAsync<ModelManifest>(ManifestKey) is { HasValue: true } found ? found.Value : null;

    public async Task<ModelManifest?> Remove()
    {
        var manifest = await Get();
        if (manifest is not null)
        {
            await StateManager.TryRemoveStateAsync(ManifestKey);
            await StateManager.SaveStateAsync();
            ModelLog.Removed(logger, manifest.Name);
        }

        // Also when nothing was saved any more: a process that died half-way left the row and the replicas.
        _held = null;
        using var timeout = new CancellationTokenSource(CallTimeout, time);
        await Index().InvokeMethodAsync(nameof(IModelIndexActor.Remove), Id.Value, ControlJson.Default.String, timeout.Token);
        await DropReplicasAsync(timeout.Token);
        return manifest;
    }

    public async Task<ReplicaAnswer> EnsureReplica(EnsureReplicaRequest request)
    {
        if (await Get() is not { } manifest)
        {
            return new ReplicaAnswer(null, null, $"Model '{Id.Value}' is not published.");
        }

        var decision = Choose(manifest, request);
        var waitingSince = time.GetTimestamp();
        while (decision.Worker is null && !decision.Never && time.GetElapsedTime(waitingSince) < options.Value.NodeWindow)
        {
            // Control may be younger than the first heartbeats, or a node is on its way back: look again with every heartbeat for a moment.
            var left = options.Value.NodeWindow - time.GetElapsedTime(waitingSince);
            await nodes.NextHeartbeat().WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            decision = Choose(manifest, request);
        }

        if (decision.Worker is not { } worker)
        {
            ModelLog.Unplaced(logger, manifest.Name, decision.Reason);
            return new ReplicaAnswer(null, manifest, decision.Reason);
        }

        if (_held?.Worker != worker || _held?.InstanceId != decision.InstanceId)
        {
            ModelLog.Placed(logger, manifest.Name, worker, decision.Reason);
        }

        _held = (worker, decision.InstanceId, time.GetTimestamp());
        return new ReplicaAnswer(worker, manifest, decision.Reason);
    }

    public async Task<ModelSweep> Sweep()
    {
        using var timeout = new CancellationTokenSource(CallTimeout, time);
        if (await Get() is not null)
        {
            return new ModelSweep(true, await ReleaseIdleAsync(timeout.Token), []);
        }

        // A turn of this very actor: nothing can be published between the look and the drop.
        var holders = Holders();
        await Index().InvokeMethodAsync(nameof(IModelIndexActor.Remove), Id.Value, ControlJson.Default.String, timeout.Token);
        await DropReplicasAsync(timeout.Token);
        return new ModelSweep(false, [], holders);
    }

    private async Task<IReadOnlyList<string>> ReleaseIdleAsync(CancellationToken cancellationToken)
    {
        var idle = options.Value.ReplicaIdle;
        if (idle == TimeSpan.Zero)
        {
            return [];
        }

        var released = new List<string>();
        foreach (var node in nodes.Views().Where(node => node.Alive && node.ResidencyOf(Id.Value) == ModelResidency.Ready))
        {
            try
            {
                var answer = await dapr.InvokeMethodAsync(HttpMethod.Post, node.Worker, $"{Routes.WorkerModelRelease(Id.Value)}?idle={idle.TotalSeconds.ToString(CultureInfo.InvariantCulture)}", ControlJson.Default.ReleaseAnswer, cancellationToken);
                if (answer.Released)
                {
                    ModelLog.Released(logger, Id.Value, node.Worker, idle);
                    released.Add(node.Worker);
                }
            }
            catch (Exception fault) when (fault is DaprException or OperationCanceledException)
            {
                ModelLog.NotDropped(logger, Id.Value, node.Worker, fault.Message);
            }
        }

        // The next cold call may go anywhere again.
        _held = released.Count > 0 ? null : _held;
        return released;
    }

    private List<string> Holders() => [.. nodes.Views()
        .Where(node => node.Alive && (node.ResidencyOf(Id.Value) != ModelResidency.Absent || node.Heartbeat.CachedBytes.ContainsKey(Id.Value)))
        .Select(node => node.Worker)];

    private PlacementDecision Choose(ModelManifest manifest, EnsureReplicaRequest request)
    {
        var held = _held is { } choice && time.GetElapsedTime(choice.At) < options.Value.ReplicaHold ? choice.Worker : null;
        return ReplicaPlacementPolicy.Choose(manifest, nodes.Views(), request.Avoid, held);
    }

    private Task DropReplicasAsync(CancellationToken cancellationToken) => Task.WhenAll(Holders().Select(worker => DropAsync(worker, cancellationToken)));

    private async Task DropAsync(string worker, CancellationToken cancellationToken)
    {
        try
        {
            await dapr.InvokeMethodAsync(HttpMethod.Delete, worker, Routes.WorkerModel(Id.Value), cancellationToken);
        }
        catch (Exception fault) when (fault is DaprException or OperationCanceledException)
        {
            ModelLog.NotDropped(logger, Id.Value, worker, fault.Message);
        }
    }

    private ActorProxy Index() => actors.CreateActorProxy(AppIds.ModelIndexActor, AppIds.IndexActorId);
}
