using System.Text;

namespace Platform.Local.FunctionsHost.Queues;

/// <summary>The app's <c>messageEncoding</c>: base64 (the default) or the text itself.</summary>
internal static class QueueEncoding
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    public static string Encode(ReadOnlySpan<byte> message, bool base64) => base64 ? Convert.ToBase64String(message) : Encoding.UTF8.GetString(message);

    /// <summary>False if the text is not base64 although the app uses it: such a message is poison.</summary>
    public static bool TryDecode(string text, bool base64, out byte[] message)
    {
        if (!base64)
        {
            message = Encoding.UTF8.GetBytes(text);
            return true;
        }

        message = new byte[(text.Length / 4 * 3) + 3];
        if (!Convert.TryFromBase64String(text, message, out var written))
        {
            return false;
        }

        message = message[..written];
        return true;
    }

    /// <summary>The message as text; null if it is not UTF-8, and so goes to the handler as bytes.</summary>
    public static string? Text(byte[] message)
    {
        try
        {
            return Strict.GetString(message);
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }
}
