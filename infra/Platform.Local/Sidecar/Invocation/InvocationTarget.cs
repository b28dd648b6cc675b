using System.Text;
using Platform.Local.Sidecar.Http;

namespace Platform.Local.Sidecar.Invocation;

/// <summary>Whom a request calls and with which path: from the header form, which wins, or from the URL.</summary>
/// <param name="Target">App id, endpoint name or address.</param>
/// <param name="Method">Path at the callee, encoded, without a leading slash.</param>
internal sealed record InvocationTarget(string Target, string Method)
{
    private const string Header = "dapr-app-id";

    /// <summary>The target of a request; null if it names none.</summary>
    public static InvocationTarget? Of(HttpContext context, ApiPath path)
    {
        if (FromHeader(context) is { } target)
        {
            return new InvocationTarget(target, MethodPath.Encode(path.Rest(0)));
        }

        if (!path.Is(0, "v1.0") || !path.Is(1, "invoke") || path.Count < 4)
        {
            return null;
        }

        // An address that was not encoded: its double slash has collapsed into one segment more.
        if ((path.Is(2, "http:") || path.Is(2, "https:")) && path.Is(4, "method"))
        {
            return new InvocationTarget($"{path.Raw(2)}//{path.Parameter(3)}", MethodPath.Encode(path.Rest(5)));
        }

        return path.Is(3, "method") ? new InvocationTarget(path.Parameter(2), MethodPath.Encode(path.Rest(4))) : null;
    }

    /// <summary>The app id of the header, or of basic authentication with the user <c>dapr-app-id</c>.</summary>
    public static string? FromHeader(HttpContext context)
    {
        if (context.Request.Headers.TryGetValue(Header, out var values) && values is [{ Length: > 0 } id])
        {
            return id;
        }

        var authorization = context.Request.Headers.Authorization.ToString();
        if (!authorization.StartsWith("Basic ", StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        var pair = new byte[authorization.Length];
        return Convert.TryFromBase64String(authorization[6..], pair, out var length) && Encoding.UTF8.GetString(pair, 0, length) is var text && text.StartsWith(Header + ":", StringComparison.Ordinal)
            ? text[(Header.Length + 1)..]
            : null;
    }
}
