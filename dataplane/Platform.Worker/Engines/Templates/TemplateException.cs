namespace Platform.Worker.Engines.Templates;

/// <summary>A chat template uses something that is not interpreted here, or refuses its messages.</summary>
internal sealed class TemplateException(string message, bool isRefusal = false) : Exception(message)
{
    /// <summary>True if the template itself raised it: its messages are not what it wants.</summary>
    public bool IsRefusal => isRefusal;
}
