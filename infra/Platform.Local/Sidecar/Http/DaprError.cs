using System.Buffers;
using System.Text.Json;

namespace Platform.Local.Sidecar.Http;

/// <summary>An error as daprd answers it.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Code">Stable code, <c>ERR_...</c>.</param>
/// <param name="Message">In words.</param>
internal sealed record DaprError(int Status, string Code, string Message)
{
    /// <summary>The longer form of some errors; null: the short one.</summary>
    public DaprErrorDetails? Details { get; init; }

    public static DaprError Malformed(string what) => new(400, "ERR_MALFORMED_REQUEST", "failed deserializing HTTP body: " + what);

    /// <summary>The answer to a path or verb that is no route: it is taken for an invocation without a target.</summary>
    public static DaprError NoRoute { get; } = new(404, "ERR_DIRECT_INVOKE", "failed getting app id either from the URL path or the header dapr-app-id");

    public Task WriteAsync(HttpContext context)
    {
        var body = new ArrayBufferWriter<byte>(256);
        using (var writer = new Utf8JsonWriter(body))
        {
            writer.WriteStartObject();
            writer.WriteString("errorCode"u8, Code);
            writer.WriteString("message"u8, Message);
            Details?.Write(writer);
            writer.WriteEndObject();
        }

        return context.AnswerJsonAsync(Status, body.WrittenMemory);
    }
}

/// <summary>Ends a request with an error.</summary>
internal sealed class DaprErrorException(DaprError error, Exception? inner = null) : Exception(error.Message, inner)
{
    public DaprErrorException(int status, string code, string message, Exception? inner = null)
        : this(new DaprError(status, code, message), inner)
    {
    }

    public DaprError Error => error;
}
