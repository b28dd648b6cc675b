using Platform.Jobs;

namespace Platform.Functions.Routing;

/// <summary>What the Open Inference Protocol v2 shows of the published models: all of them take texts and give texts.</summary>
internal sealed class InferenceModels(ControlClient control, NodeTableCache table)
{
    /// <summary>The model's inputs and outputs.</summary>
    public static InferenceModel Describe(string model) => new(
        model,
        [Routes.InferenceModelVersion],
        "platform_llama",
        [new InferenceTensor("text_input", "BYTES", [-1])],
        [new InferenceTensor("text_output", "BYTES", [-1]), new InferenceTensor("finish_reason", "BYTES", [-1]), new InferenceTensor("completion_tokens", "INT32", [-1])]);

    /// <summary>The published model.</summary>
    /// <exception cref="Hosting.ProblemException">There is none of this name and version.</exception>
    public async Task<ModelManifest> FindAsync(string model, string? version, CancellationToken cancellationToken)
    {
        InferenceRouter.CheckName(model, version);
        return await control.GetModelAsync(model, cancellationToken) ?? throw CompletionRequest.UnknownModel(model);
    }

    /// <summary>True if a worker lives that may serve a published model, having it ready or not.</summary>
    public async Task<bool> CanServeAsync(CancellationToken cancellationToken) =>
        (await table.GetAsync(cancellationToken)).Nodes.Any(node => node.Alive && !node.Heartbeat.Draining);
}

/// <summary>The protocol's description of a model.</summary>
internal sealed record InferenceModel(string Name, IReadOnlyList<string> Versions, string Platform, IReadOnlyList<InferenceTensor> Inputs, IReadOnlyList<InferenceTensor> Outputs);

/// <summary>The protocol's description of a tensor; -1 for a length that varies.</summary>
internal sealed record InferenceTensor(string Name, string Datatype, IReadOnlyList<long> Shape);
