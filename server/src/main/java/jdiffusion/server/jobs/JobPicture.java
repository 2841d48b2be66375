package jdiffusion.server.jobs;

import jdiffusion.model.image.Picture;

/**
 * A picture that a job drew.
 *
 * @param index   from 0
 * @param seed    64 bits without a sign
 * @param picture its pixels
 * @param png     its file
 * @param text    the settings in it
 * @param stored  under which name it is in the history; null where there is none
 * @param whole   false where it was interrupted
 */
public record JobPicture(int index, long seed, Picture picture, byte[] png, String text, String stored,
                         boolean whole) {
}
