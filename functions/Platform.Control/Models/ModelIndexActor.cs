using Platform.Control.Nodes;
using Platform.Dapr.Actors;
using Platform.Jobs;

namespace Platform.Control.Models;

/// <summary>Lists models: the names in one value, each manifest in its own.</summary>
internal sealed class ModelIndexActor(ActorHost host, NodeRegistry nodes) : Actor(host), IModelIndexActor
{
    private const string NamesKey = "names";

    public async Task Record(ModelManifest manifest)
    {
        var names = await NamesAsync();
        if (names.BinarySearch(manifest.Name, StringComparer.Ordinal) is var at and < 0)
        {
            await StateManager.SetStateAsync<List<string>>(NamesKey, [.. names[..~at], manifest.Name, .. names[~at..]]);
        }

        await StateManager.SetStateAsync(KeyOf(manifest.Name), manifest);
        await StateManager.SaveStateAsync();
    }

    public async Task Remove(string model)
    {
        var names = await NamesAsync();
        if (names.BinarySearch(model, StringComparer.Ordinal) is var at and >= 0)
        {
            await StateManager.SetStateAsync<List<string>>(NamesKey, [.. names[..at], .. names[(at + 1)..]]);
            await StateManager.TryRemoveStateAsync(KeyOf(model));
            await StateManager.SaveStateAsync();
        }
    }

    public async Task<List<ModelStatus>> List()
    {
        var views = nodes.Views().Where(node => node.Alive).ToArray();
        var models = new List<ModelStatus>();
        foreach (var name in await NamesAsync())
        {
            var manifest = await StateManager.GetStateAsync<ModelManifest>(KeyOf(name));
            var residency = views.Where(node => node.ResidencyOf(manifest) != ModelResidency.Absent).ToDictionary(node => node.Worker, node => node.ResidencyOf(manifest));
            models.Add(new ModelStatus(manifest, residency));
        }

        return models;
    }

    private async Task<List<string>> NamesAsync() =>
        await StateManager.TryGetStateAsync<List<string>>(NamesKey) is { HasValue: true } found ? found.Value : [];

    private static string KeyOf(string model) => $"model-{model}";
}
