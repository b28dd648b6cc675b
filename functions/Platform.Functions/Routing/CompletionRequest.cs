using System.Text.Json;
using Platform.Functions.Hosting;
using Platform.Jobs;

namespace Platform.Functions.Routing;

/// <summary>An OpenAI completion request, read as far as routing needs; the body goes on unchanged.</summary>
internal sealed record CompletionRequest(string Model, bool Stream, byte[] Body, string Route)
{
    /// <summary>Reads and checks a request.</summary>
    /// <exception cref="ProblemException">The body is too large, is not JSON, has no model, or an empty prompt.</exception>
    public static async Task<CompletionRequest> ReadAsync(HttpRequest request, string route, int maxBytes, CancellationToken cancellationToken)
    {
        var body = await ReadBodyAsync(request, maxBytes, cancellationToken);
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

    private static async Task<byte[]> ReadBodyAsync(HttpRequest request, int maxBytes, CancellationToken cancellationToken)
    {
        using var buffer = new MemoryStream(request.ContentLength is { } length && length <= maxBytes ? (int)length : 1024);
        var chunk = new byte[16 * 1024];
        int read;
        while ((read = await request.Body.ReadAsync(chunk, cancellationToken)) > 0)
        {
            if (buffer.Length + read > maxBytes)
            {
                throw new ProblemException(Problem.Of(413, ErrorCodes.BodyTooLarge, $"The body is larger than {maxBytes} bytes. Use a 'batch-infer' job with its input in object storage for large inputs."));
            }

            buffer.Write(chunk, 0, read);
        }

        return buffer.ToArray();
    }
}
