using Platform.Dapr;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Sweeping;

/// <summary>Has control look at every model that a node holds: idle replicas of published ones leave memory, whatever is left of others is dropped.</summary>
internal sealed class ModelSweeper(ControlClient control, NodeTableCache table, ILogger<ModelSweeper> logger)
{
    public async Task<Swept> RunAsync(CancellationToken cancellationToken)
    {
        var swept = Swept.Nothing;
        foreach (var model in await FindAsync(cancellationToken))
        {
            try
            {
                if (await control.SweepModelAsync(model, cancellationToken) is { } done)
                {
                    swept += new Swept { Released = done.Released.Count, Dropped = done.Dropped.Count };
                }
            }
            catch (DaprException exception)
            {
                logger.ModelNotSwept(model, exception.Message);
                swept += new Swept { Failures = 1 };
            }
        }

        return swept;
    }

    /// <summary>Models in memory anywhere, and those of which a tier has bytes though the list of published models lacks them. The list may lag; the model's actor decides.</summary>
    private async Task<IReadOnlyList<string>> FindAsync(CancellationToken cancellationToken)
    {
        var published = (await control.ListModelsAsync(cancellationToken)).Select(model => model.Manifest.Name).ToHashSet(StringComparer.Ordinal);
        var nodes = (await table.GetAsync(cancellationToken)).Nodes.Where(node => node.Alive).Select(node => node.Heartbeat).ToList();
        var ready = nodes.SelectMany(node => node.Models).Where(model => model.Value == ModelResidency.Ready).Select(model => model.Key);
        var orphans = nodes.SelectMany(node => node.Models.Keys.Concat(node.CachedBytes.Keys)).Where(model => !published.Contains(model));
        return [.. ready.Concat(orphans).Where(Names.IsModel).Distinct(StringComparer.Ordinal)];
    }
}
