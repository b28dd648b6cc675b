using System.Text.Json;
using Platform.Functions.Hosting;
using Platform.Jobs;

namespace Platform.Functions.Routing;

/// <summary>A request for a completion, read as far as routing needs; the body goes on unchanged.</summary>
/// <param name="Model">Model that is to answer.</param>
/// <param name="Stream">True if the answer comes in pieces.</param>
/// <param name="Body">The body as it came.</param>
/// <param name="Route">The worker's route for it.</param>
internal sealed record CompletionRequest(string Model, bool Stream, byte[] Body, string Route)
{
    /// <summary>Header that goes on with the body; null for none.</summary>
    public KeyValuePair<string, string>? Header { get; init; }

    /// <summary>Reads and checks a request of one of OpenAI's routes.</summary>
    /// <exception cref="ProblemException">The body is too large, is not JSON, has no model, or an empty prompt.</exception>
    public static async Task<CompletionRequest> ReadAsync(HttpRequest request, string route, int maxBytes, CancellationToken cancellationToken)
    {
        var body = await RequestBody.ReadAsync(request, maxBytes, cancellationToken);
        try
        {
            using var document = JsonDocument.Parse(body);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
            {
                throw Fault(ErrorCodes.InvalidJson, $"The body is a JSON {root.ValueKind}; expected an object with 'model' and '{Field(route)}'.");
            }

            if (!root.TryGetProperty("model", out var model) || model.ValueKind != JsonValueKind.String)
            {
                throw Fault(ErrorCodes.InvalidRequest, "The field 'model' is missing or no string. GET /v1/models lists the models.");
            }

            if (!Names.IsModel(model.GetString()))
            {
                throw UnknownModel(model.GetString()!);
            }

            CheckPrompt(root, route);
            return new CompletionRequest(model.GetString()!, root.TryGetProperty("stream", out var stream) && stream.ValueKind == JsonValueKind.True, body, route);
        }
        catch (JsonException exception)
        {
            throw Fault(ErrorCodes.InvalidJson, $"The body is not JSON: {exception.Message}");
        }
    }

    public static ProblemException UnknownModel(string model) =>
        new(Problem.Of(404, ErrorCodes.ModelNotFound, $"Model '{(model.Length > 80 ? model[..80] : model)}' is not published. GET /v1/models lists the models; 'platform models push' publishes one."));

    private static void CheckPrompt(JsonElement root, string route)
    {
        var field = Field(route);
        if (!root.TryGetProperty(field, out var prompt) || prompt.ValueKind == JsonValueKind.Null)
        {
            throw Fault(ErrorCodes.InvalidRequest, $"The field '{field}' is missing.");
        }

        if (field == "messages" && prompt.ValueKind != JsonValueKind.Array)
        {
            throw Fault(ErrorCodes.InvalidRequest, $"The field 'messages' is a JSON {prompt.ValueKind}; expected an array of messages.");
        }

        if (IsEmpty(prompt))
        {
            throw Fault(ErrorCodes.PromptEmpty, $"The field '{field}' is empty; expected at least one character to go on from.");
        }
    }

    private static bool IsEmpty(JsonElement prompt) => prompt.ValueKind switch
    {
        JsonValueKind.String => prompt.GetString()!.Length == 0,
        JsonValueKind.Array => prompt.GetArrayLength() == 0 || prompt.EnumerateArray().All(IsEmpty),
        JsonValueKind.Object => !prompt.TryGetProperty("content", out var content) || content.ValueKind == JsonValueKind.Null || (content.ValueKind == JsonValueKind.String && content.GetString()!.Length == 0),
        _ => false,
    };

    private static string Field(string route) => route == Routes.WorkerChatCompletions ? "messages" : "prompt";

    private static ProblemException Fault(string code, string detail) => new(Problem.Of(400, code, detail));
}
