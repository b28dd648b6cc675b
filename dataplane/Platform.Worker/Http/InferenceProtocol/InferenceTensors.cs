namespace Platform.Worker.Http.InferenceProtocol;

/// <summary>The tensors and parameters of a text model under the Open Inference Protocol v2.</summary>
internal static class InferenceTensors
{
    /// <summary>The one input: <c>BYTES</c>, one prompt per element.</summary>
    public const string TextInput = "text_input";

    /// <summary>Output: <c>BYTES</c>, one completion per prompt.</summary>
    public const string TextOutput = "text_output";

    /// <summary>Output: <c>BYTES</c>, <c>stop</c> or <c>length</c> per prompt.</summary>
    public const string FinishReason = "finish_reason";

    /// <summary>Output: <c>INT32</c>, tokens made per prompt.</summary>
    public const string CompletionTokens = "completion_tokens";

    /// <summary>Datatype of texts.</summary>
    public const string Bytes = "BYTES";

    /// <summary>Datatype of counts.</summary>
    public const string Int32 = "INT32";

    /// <summary>Every output, in the order in which they are answered if a call names none.</summary>
    public static IReadOnlyList<string> Outputs { get; } = [TextOutput, FinishReason, CompletionTokens];
}
