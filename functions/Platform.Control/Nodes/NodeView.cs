using Platform.Control.Placement;
using Platform.Jobs;

namespace Platform.Control.Nodes;

/// <summary>A node at the moment of a decision: what it last said, and what control knows beyond that.</summary>
/// <param name="Heartbeat">Its latest heartbeat.</param>
/// <param name="Alive">False if the heartbeat is late.</param>
/// <param name="FreeJobSlots">Jobs that it can still take, after those that were sent to it since the heartbeat.</param>
internal sealed record NodeView(NodeHeartbeat Heartbeat, bool Alive, int FreeJobSlots)
{
    /// <summary>What jobs can still take of it, after those that were sent to it since the heartbeat.</summary>
    public JobNeeds Free { get; init; } = new(Heartbeat.FreeDevices, Heartbeat.DeviceFreeBytes, Heartbeat.FreeCpus, Heartbeat.FreeMemoryBytes);

    public string Worker => Heartbeat.Worker;

    /// <summary>How near a model is by what the node says of its memory; the tier is not looked at, since the node does not know what belongs to a model that it has not loaded.</summary>
    public ModelResidency ResidencyOf(string model) => Heartbeat.Models.GetValueOrDefault(model, ModelResidency.Absent);

    /// <summary>How near a model is, in memory or on NVMe.</summary>
    public ModelResidency ResidencyOf(ModelManifest model) =>
        ResidencyOf(model.Name) is var residency && residency == ModelResidency.Absent && model.LengthBytes > 0 && MissingBytes(model) == 0 ? ModelResidency.Nvme : residency;

    /// <summary>Bytes of the model that must come from object storage before the node can run it.</summary>
    public long MissingBytes(ModelManifest model) => ResidencyOf(model.Name) switch
    {
        ModelResidency.Absent => Math.Max(0, model.LengthBytes - Heartbeat.CachedBytes.GetValueOrDefault(model.Name)),
        _ => 0,
    };
}
