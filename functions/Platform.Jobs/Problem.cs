using System.Text.Json.Serialization;

namespace Platform.Jobs;

/// <summary>An error as every HTTP surface of the platform answers it: problem+json (RFC 9457) with a stable code, and the same as OpenAI clients expect it.</summary>
public sealed record Problem
{
    /// <summary>Content type of the body.</summary>
    public const string ContentType = "application/problem+json";

    /// <summary>Always <c>about:blank</c>: the code identifies the kind.</summary>
    public string Type { get; init; } = "about:blank";

    /// <summary>The kind in words.</summary>
    public required string Title { get; init; }

    /// <summary>HTTP status.</summary>
    public required int Status { get; init; }

    /// <summary>Which thing, what was found, what was expected, what to do.</summary>
    public required string Detail { get; init; }

    /// <summary>One of <see cref="ErrorCodes"/>.</summary>
    public required string Code { get; init; }

    /// <summary>Every fault of the request, where there may be several.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<SpecFault>? Faults { get; init; }

    /// <summary>The same error in the shape that OpenAI clients read.</summary>
    public OpenAiError Error => new(Detail, Status < 500 ? "invalid_request_error" : "server_error", Code);

    /// <summary>Makes a problem with the usual title of its status.</summary>
    public static Problem Of(int status, string code, string detail, IReadOnlyList<SpecFault>? faults = null) => new()
    {
        Title = TitleOf(status),
        Status = status,
        Code = code,
        Detail = detail,
        Faults = faults,
    };

    private static string TitleOf(int status) => status switch
    {
        400 => "Bad request",
        401 => "Unauthorized",
        404 => "Not found",
        409 => "Conflict",
        413 => "Content too large",
        429 => "Too many requests",
        502 => "Bad gateway",
        503 => "Service unavailable",
        507 => "Insufficient storage",
        _ => status < 500 ? "Request failed" : "Internal error",
    };
}

/// <summary>OpenAI's error object.</summary>
/// <param name="Message">What is wrong.</param>
/// <param name="Type">Kind, in OpenAI's words.</param>
/// <param name="Code">One of <see cref="ErrorCodes"/>.</param>
public sealed record OpenAiError(string Message, string Type, string Code);
