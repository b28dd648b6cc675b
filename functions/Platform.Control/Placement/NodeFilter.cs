using Platform.Control.Nodes;
using Platform.Jobs;

namespace Platform.Control.Placement;

/// <summary>What rules a node out for a model, whoever asks.</summary>
internal static class NodeFilter
{
    /// <summary>Why <paramref name="node"/> cannot run <paramref name="model"/>; null if it can.</summary>
    public static Rejection? Reject(NodeView node, ModelManifest? model)
    {
        if (!node.Alive)
        {
            return new Rejection(node.Worker, "is silent", Gone: true);
        }

        if (node.Heartbeat.Draining)
        {
            return new Rejection(node.Worker, "is draining", Gone: true);
        }

        if (model is not null && model.LengthBytes > node.Heartbeat.DeviceCapacityBytes)
        {
            return new Rejection(node.Worker, $"has {node.Heartbeat.DeviceCapacityBytes} bytes for models and '{model.Name}' needs {model.LengthBytes}", Lasting: true);
        }

        return null;
    }
}
